#include "src/base/error.h"
#include "src/base/file.h"
#include "src/base/image.h"
#include "src/base/sha256.h"
#include "src/experiment/report/page/parts.h"
#include "src/experiment/report/values/text.h"

namespace hijack::report {
namespace {

namespace fs = std::filesystem;

/// The file a row names, when it lies inside the run folder once links are followed. Throws Error otherwise.
fs::path inside(const fs::path& folder, const std::string& name) {
  if (name.empty()) throw Error("no file was recorded");
  std::error_code error;
  const fs::path root = fs::canonical(folder, error);
  const fs::path file = fs::canonical(folder / name, error);
  if (error) throw Error("the file is missing");
  const auto [end, unused] = std::mismatch(root.begin(), root.end(), file.begin(), file.end());
  if (end != root.end()) throw Error("the file lies outside the run folder");
  return file;
}

struct Picture {
  std::string png;
  Tensor image;  ///< [1,3,H,W]
};

Picture read_picture(const RunRecord& run, const std::string& name) {
  constexpr int64_t kMaxBytes = int64_t{16} << 20;
  const fs::path file = inside(run.folder, name);
  Picture picture{read_file(file, kMaxBytes), {}};
  if (!picture.png.starts_with("\x89PNG\r\n\x1a\n")) throw Error("the file is not a PNG");
  picture.image = load_image(file, {.max_bytes = kMaxBytes, .max_side = 4096, .max_pixels = 4096 * 4096});
  return picture;
}

/// Ten times the signed difference around middle gray: gray = unchanged.
std::string difference_png(const Tensor& clean, const Tensor& adversarial) {
  if (clean.sizes() != adversarial.sizes()) throw Error("the two images differ in size");
  constexpr double kGray = 128.0 / 255;
  return encode_png(from_bytes(to_bytes(((adversarial - clean) * 10 + kGray).clamp(0, 1))));
}

std::string note(const std::string& text) {
  return "<div class=\"no-picture\">" + html(text) + "</div>";
}

std::string embed(const std::string& png, const std::string& alt, PageBudget& budget) {
  const auto bytes = static_cast<int64_t>(png.size()) * 4 / 3;
  if (bytes > budget.picture_bytes_left) return note("left out to keep the page small");
  budget.picture_bytes_left -= bytes;
  return "<img alt=\"" + html(alt) + "\" src=\"data:image/png;base64," + base64(png) + "\">";
}

std::string figure(const std::string& picture, const std::string& title, const std::string& detail) {
  return "<figure>" + picture + "<figcaption><strong>" + html(title) + "</strong><span>" + html(detail) +
         "</span></figcaption></figure>";
}

/// A file that cannot be shown becomes a note in its place, and the page goes on.
template <class Make>
std::string or_note(const Make& make) {
  try {
    return make();
  } catch (const std::exception& error) {
    return note(std::string("not shown: ") + error.what());
  }
}

std::string size_of(const Picture& picture) {
  if (!picture.image.defined()) return "";
  return std::to_string(picture.image.size(3)) + " × " + std::to_string(picture.image.size(2)) + " px";
}

/// What the resize reads, beside what was wanted: both pictures that one file is.
std::string reading_figures(const TrialRef& ref, PageBudget& budget) {
  if (!ref.trial->read_back) return "";
  const ReadBackRow& read = *ref.trial->read_back;
  const auto one = [&](const std::string& file, const std::string& title, const std::string& detail) {
    Picture picture;
    const std::string shown = or_note([&] {
      picture = read_picture(*ref.run, file);
      return embed(picture.png, title, budget);
    });
    return figure(shown, title, detail + size_of(picture));
  };
  return "<div class=\"pictures\">" + one(ref.trial->image_file, "What a person sees", "the saved file, ") +
         one(read.seen_file, "What is read", read.reader + ", ") +
         one(read.wanted_file, "What was wanted", "") + "</div>";
}

}  // namespace

std::string run_picture(const RunRecord& run, const std::string& file, const std::string& alt,
                        PageBudget& budget) {
  return or_note([&] { return embed(read_picture(run, file).png, alt, budget); });
}

bool has_pictures(const TrialRef& ref) {
  try {
    inside(ref.run->folder, ref.trial->origin_file), inside(ref.run->folder, ref.trial->image_file);
    return true;
  } catch (const Error&) {
    return false;
  }
}

PicturePair picture_pair(const TrialRef& ref, PageBudget& budget) {
  const std::string photo = fs::path(ref.trial->source_image).filename().string();
  const auto one = [&](const std::string& file, const std::string& alt) {
    return or_note([&] { return embed(read_picture(*ref.run, file).png, alt + photo, budget); });
  };
  return {one(ref.trial->origin_file, "The clean image "),
          one(ref.trial->image_file, "The adversarial image made from ")};
}

std::string picture_sheet(const TrialRef& ref, PageBudget& budget) {
  const TrialRow& trial = *ref.trial;
  if (without_images(trial)) return "";
  Picture clean, adversarial;
  const std::string photo = fs::path(trial.source_image).filename().string();
  const std::string clean_html = or_note([&] {
    clean = read_picture(*ref.run, trial.origin_file);
    return embed(clean.png, "The clean image " + photo, budget);
  });
  const std::string adversarial_html = or_note([&] {
    adversarial = read_picture(*ref.run, trial.image_file);
    return embed(adversarial.png, "The adversarial image made from " + photo, budget);
  });
  const std::string difference_html = or_note([&] {
    if (!clean.image.defined() || !adversarial.image.defined()) throw Error("it needs both images");
    return embed(difference_png(clean.image, adversarial.image),
                 "Difference between the two images, ten times enlarged, gray where nothing changed", budget);
  });
  const std::string changed = "at most " + decimal(trial.budget.max_difference_255) + "/255 per channel" +
                              (trial.budget.respected ? "" : " – over budget");
  return "<div class=\"pictures\">" + figure(clean_html, "Clean", photo + " " + size_of(clean)) +
         figure(difference_html, "Difference × 10", changed) +
         figure(adversarial_html, "Adversarial", fs::path(trial.image_file).filename().string()) + "</div>" +
         reading_figures(ref, budget);
}

}  // namespace hijack::report
