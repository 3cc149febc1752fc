#include "defenses/detectors/text_reader.h"

#include "src/base/error.h"

#ifdef HIJACK_TESSERACT
#include <tesseract/baseapi.h>
#include <tesseract/resultiterator.h>

#include <mutex>

// Of the OpenMP library that Tesseract and libtorch share, where there is one.
extern "C" {
[[gnu::weak]] int omp_get_max_active_levels();
[[gnu::weak]] void omp_set_max_active_levels(int levels);
}
#endif

namespace hijack {

#ifdef HIJACK_TESSERACT
namespace {

/// While it lives, parallel regions have one thread. Tesseract asks for four of them in each layer whatever
/// the machine has, and where there are fewer cores they wait for each other.
class OneThread {
 public:
  OneThread() {
    if (!omp_get_max_active_levels || !omp_set_max_active_levels) return;
    levels_ = omp_get_max_active_levels();
    omp_set_max_active_levels(0);
  }
  ~OneThread() {
    if (levels_ >= 0) omp_set_max_active_levels(levels_);
  }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int levels_ = -1;
};

}  // namespace

struct TextReader::Engine {
  tesseract::TessBaseAPI api;
  std::mutex mutex;
};

bool have_tesseract() {
  return true;
}

TextReader::TextReader() : engine_(std::make_unique<Engine>()) {
  // It would print to the terminal about every picture without text.
  engine_->api.SetVariable("debug_file", "/dev/null");
  if (engine_->api.Init(nullptr, "eng") != 0)
    throw Error("Tesseract has no English language data to read pictures with; install tesseract-ocr-eng.");
  engine_->api.SetVariable("debug_file", "/dev/null");
  // Sauvola's local threshold: by default one bright area elsewhere hides dark text.
  engine_->api.SetVariable("thresholding_method", "2");
  engine_->api.SetPageSegMode(tesseract::PSM_SPARSE_TEXT);
}

std::vector<ReadWord> TextReader::read(const Tensor& gray) const {
  const Tensor bytes = (gray.cpu() * 255).round().clamp(0, 255).to(at::kByte).contiguous();
  const auto height = static_cast<int>(bytes.size(0)), width = static_cast<int>(bytes.size(1));
  const std::lock_guard lock(engine_->mutex);
  const OneThread one;
  tesseract::TessBaseAPI& api = engine_->api;
  api.SetImage(bytes.data_ptr<uint8_t>(), width, height, 1, width);
  api.SetSourceResolution(150);
  std::vector<ReadWord> words;
  if (api.Recognize(nullptr) == 0) {
    const std::unique_ptr<tesseract::ResultIterator> place(api.GetIterator());
    constexpr auto kWord = tesseract::RIL_WORD;
    if (place) do {
        const std::unique_ptr<char[]> text(place->GetUTF8Text(kWord));
        if (text) words.push_back({text.get(), place->Confidence(kWord)});
      } while (place->Next(kWord));
  }
  api.Clear();
  return words;
}

#else

struct TextReader::Engine {};

bool have_tesseract() {
  return false;
}

TextReader::TextReader() {
  throw Error("This build has no Tesseract to read pictures with; install libtesseract-dev and build again.");
}

std::vector<ReadWord> TextReader::read(const Tensor&) const {
  return {};
}

#endif

TextReader::~TextReader() = default;

}  // namespace hijack
