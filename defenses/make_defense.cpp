#include "defenses/make_defense.h"

#include "defenses/decoding/coca.h"
#include "defenses/decoding/steering.h"
#include "defenses/detectors/cider.h"
#include "defenses/detectors/ecso.h"
#include "defenses/detectors/hidden_detect.h"
#include "defenses/detectors/jailguard.h"
#include "defenses/detectors/judge.h"
#include "defenses/detectors/linear_probe.h"
#include "defenses/detectors/mahalanobis.h"
#include "defenses/detectors/ocr.h"
#include "defenses/detectors/perplexity_filter.h"
#include "defenses/detectors/scaling_check.h"
#include "defenses/detectors/unrelated_questions.h"
#include "defenses/image/bit_depth.h"
#include "defenses/image/blur.h"
#include "defenses/image/crop.h"
#include "defenses/image/jpeg.h"
#include "defenses/image/median.h"
#include "defenses/image/noise.h"
#include "defenses/image/resize.h"
#include "defenses/image/resize_pad.h"
#include "defenses/image/total_variation.h"
#include "defenses/text/paraphrase.h"
#include "defenses/text/retokenize.h"
#include "defenses/text/safety_prompt.h"
#include "defenses/votes/smoothing.h"
#include "defenses/votes/smoothvlm.h"
#include "models/endpoint/address.h"
#include "src/base/error.h"
#include "src/base/registry.h"

namespace hijack {
namespace {

struct DefenseKind {
  const char* name;
  const char* help;
  const char* kind;
  bool reads_images;
  std::vector<DefenseParameter> (*parameters)();
  void (*check)(const DefenseSpec&);
  std::shared_ptr<const Defense> (*make)(const DefenseSpec&, const DefenseResources&);
};

template <class D>
std::vector<DefenseParameter> parameters_of() {
  typename D::Parameters parameters;
  const Fields fields = fields_of(parameters);
  const nlohmann::json defaults = fields_to_json(fields);
  std::vector<DefenseParameter> all;
  for (const Field& field : fields)
    all.push_back({field.name, type_text(field), defaults.at(field.name), field.help});
  return all;
}

template <class D>
constexpr const char* kind_name() {
  if (std::is_base_of_v<ImageTransform, D>) return "image";
  if (std::is_base_of_v<TextTransform, D>) return "text";
  if (std::is_base_of_v<DecodingDefense, D>) return "decoding";
  return std::is_base_of_v<CopyVote, D> ? "votes" : "detector";
}

template <class D>
std::shared_ptr<const Defense> make(const DefenseSpec& spec, const DefenseResources& resources) {
  const auto parameters = read_parameters<typename D::Parameters>(spec);
  if constexpr (std::is_constructible_v<D, typename D::Parameters, DefenseResources>)
    return std::make_shared<const D>(parameters, resources);
  else
    return std::make_shared<const D>(parameters);
}

template <class D>
constexpr bool reads_images() {
  return !std::is_base_of_v<TextTransform, D> && !std::is_base_of_v<TextDetector, D> &&
         !std::is_base_of_v<DecodingDefense, D>;
}

template <class D>
DefenseKind kind() {
  return {D::kName,          D::kHelp,
          kind_name<D>(),    reads_images<D>(),
          &parameters_of<D>, [](const DefenseSpec& spec) { read_parameters<typename D::Parameters>(spec); },
          &make<D>};
}

/// The one table of defenses.
const Registry<DefenseKind>& defenses() {
  static const Registry<DefenseKind> table("defense", {
                                                          kind<PerplexityFilter>(),
                                                          kind<Paraphrase>(),
                                                          kind<Retokenize>(),
                                                          kind<SafetyPrompt>(),
                                                          kind<Coca>(),
                                                          kind<Steering>(),
                                                          kind<Jpeg>(),
                                                          kind<BitDepth>(),
                                                          kind<Median>(),
                                                          kind<Blur>(),
                                                          kind<Noise>(),
                                                          kind<ResizePad>(),
                                                          kind<ResizeDefense>(),
                                                          kind<Crop>(),
                                                          kind<TotalVariation>(),
                                                          kind<SmoothVlm>(),
                                                          kind<Smoothing>(),
                                                          kind<JailGuard>(),
                                                          kind<Cider>(),
                                                          kind<Ocr>(),
                                                          kind<ScalingCheck>(),
                                                          kind<Judge>(),
                                                          kind<Ecso>(),
                                                          kind<UnrelatedQuestions>(),
                                                          kind<HiddenDetect>(),
                                                          kind<LinearProbe>(),
                                                          kind<Mahalanobis>(),
                                                      });
  return table;
}

/// Splits at commas that no backslash precedes, and drops those backslashes.
std::vector<std::string> split_parameters(const std::string& text) {
  std::vector<std::string> parts(1);
  for (size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == ',' || text[i + 1] == '\\');
    if (escape)
      parts.back() += text[++i];
    else if (text[i] == ',')
      parts.emplace_back();
    else
      parts.back() += text[i];
  }
  return parts;
}

/// Names of earlier versions, which keep working.
constexpr std::pair<std::string_view, std::string_view> kFormerNames[] = {{"mask_vote", "smoothvlm"}};

std::string_view current_name(std::string_view name) {
  for (const auto& [former, current] : kFormerNames)
    if (name == former) return current;
  return name;
}

}  // namespace

std::string current_defense(const std::string& text) {
  const size_t colon = std::min(text.find(':'), text.size());
  return std::string(current_name(text.substr(0, colon))) + text.substr(colon);
}

DefenseSpec parse_defense(const std::string& given) {
  const std::string text = current_defense(given);
  const size_t colon = text.find(':');
  DefenseSpec spec{.name = text.substr(0, colon), .parameters = {}};
  const DefenseKind& found = defenses().at(spec.name);
  if (colon == std::string::npos) return spec;
  for (const std::string& part : split_parameters(text.substr(colon + 1))) {
    const size_t equals = part.find('=');
    if (equals == 0 || equals == std::string::npos)
      throw Error("Defense '" + without_login(text) +
                  "' is not written as name:parameter=value,parameter=value.");
    if (!spec.parameters.emplace(part.substr(0, equals), part.substr(equals + 1)).second)
      throw Error("Defense '" + without_login(text) + "' gives parameter '" + part.substr(0, equals) +
                  "' twice.");
  }
  found.check(spec);
  if (const auto endpoint = spec.parameters.find("endpoint"); endpoint != spec.parameters.end())
    endpoint->second = hide_login(endpoint->second);
  return spec;
}

std::string public_defense(const std::string& text) {
  // Written anew only where there may be a login: specs stay as their users write them.
  return text.find('@') == std::string::npos ? current_defense(text) : written_spec(parse_defense(text));
}

/// `text` with the value of one of its parameters as `each` leaves it.
static std::string with_parameter(const std::string& text, const std::string& name,
                                  const std::function<void(std::string& value)>& each) {
  if (text.find(name + "=") == std::string::npos) return text;
  DefenseSpec spec = parse_defense(text);
  const auto own = spec.parameters.find(name);
  if (own == spec.parameters.end() || own->second.empty()) return text;
  const std::string before = own->second;
  each(own->second);
  return own->second == before ? text : written_spec(spec);
}

std::string with_own_model(const std::string& text, const std::function<void(std::string& folder)>& each) {
  return with_parameter(text, "model", each);
}

std::string with_trained_file(const std::string& text, const std::function<void(std::string& file)>& each) {
  return with_parameter(text, "trained", each);
}

std::shared_ptr<const Defense> make_defense(const DefenseSpec& spec, const DefenseResources& resources) {
  return defenses().at(spec.name).make(spec, resources);
}

std::vector<std::string> defense_names() {
  return defenses().names();
}

std::vector<DefenseInfo> defense_infos() {
  std::vector<DefenseInfo> all;
  for (const DefenseKind& one : defenses())
    all.push_back({one.name, one.kind, one.help, one.reads_images, one.parameters()});
  return all;
}

DefenseInfo defense_info(const std::string& name) {
  const DefenseKind& found = defenses().at(current_name(name));
  return {found.name, found.kind, found.help, found.reads_images, found.parameters()};
}

}  // namespace hijack
