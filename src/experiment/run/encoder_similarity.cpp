#include "src/experiment/run/encoder_similarity.h"

#include <ATen/ATen.h>

#include "src/base/error.h"
#include "src/base/image.h"

namespace hijack {
namespace {

/// [1,E]; undefined without target, and for a text that this encoder does not read.
Tensor target_of(const TrialSetup& setup, const ImageEncoder& encoder) {
  const ObjectiveConfig& objective = setup.plan.config.objective;
  if (!objective.feature_image.empty())
    return encoder
        .encode(setup.model->to_input_space(load_image(objective.feature_image)).to(encoder.device()))
        .embedding;
  if (objective.feature_text.empty() || !encoder.reads_text()) return {};
  try {
    return encoder.text_embedding(objective.feature_text);
  } catch (const Error&) {
    return {};  // its tokenizer is not supported, or the text is too long for it
  }
}

EncoderRow measure(const ImageEncoder& encoder, const Tensor& target,
                   const std::vector<EncodedFiles>& files) {
  const auto cosine = [](const Tensor& a, const Tensor& b) { return embedding_cosine(a, b).item<double>(); };
  EncoderRow row;
  row.n = static_cast<int64_t>(files.size());
  const double share = 1.0 / static_cast<double>(row.n);
  if (target.defined()) row.attack = row.clean = row.noise = 0;
  for (const EncodedFiles& one : files) {
    const auto embed = [&](const Tensor& image) {
      return encoder.encode(image.to(encoder.device())).embedding;
    };
    const Tensor attack = embed(one.adversarial), clean = embed(one.clean), noise = embed(one.noise);
    const double kept = cosine(attack, clean), noisy = cosine(noise, clean);
    row.attack_to_clean += share * kept;
    row.noise_to_clean += share * noisy;
    if (!target.defined()) continue;
    const double reached = cosine(attack, target), noise_reached = cosine(noise, target);
    row.attack += share * reached;
    row.noise += share * noise_reached;
    row.clean += share * cosine(clean, target);
    row.attack_nearer += reached > kept;
    row.noise_nearer += noise_reached > noisy;
  }
  return row;
}

}  // namespace

std::vector<EncoderRow> encoder_rows(const TrialSetup& setup, const std::vector<EncodedFiles>& files,
                                     const std::string& photos) {
  std::vector<EncoderRow> rows;
  if (files.empty()) return rows;
  const at::NoGradGuard no_grad;
  for (const auto* encoders : {&setup.surrogates, &setup.transfer_encoders})
    for (const NamedEncoder& one : *encoders) {
      EncoderRow row = measure(*one.encoder, target_of(setup, *one.encoder), files);
      row.encoder = one.name;
      row.held_out = encoders == &setup.transfer_encoders;
      row.photos = photos;
      rows.push_back(std::move(row));
    }
  return rows;
}

}  // namespace hijack
