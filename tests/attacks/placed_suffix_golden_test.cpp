// Suffixes in the prompts of real templates and tokenizers: what GCG exchanges is one token of what the model
// reads.
#include "attacks/text/placed_suffix.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "attacks/text/gcg.h"
#include "attacks/text/suffix.h"
#include "models/embedding_access.h"
#include "models/load_model.h"
#include "src/base/image.h"

namespace hijack::placed_suffix_golden_test {
namespace {

const std::filesystem::path kGolden = HIJACK_SOURCE_DIR "/tests/golden";
constexpr const char* kModels[] = {"qwen2_vl/small",  "qwen2_vl/hub_bf16",    "llava/clip_gqa",
                                   "llava/hub_bf16",  "llava_onevision/clip", "idefics3/one_view",
                                   "paligemma/small", "../../samples/pocket"};

struct Placed {
  explicit Placed(const std::string& folder) : model(load_model(kGolden / folder, {.dtype = "float32"})) {
    const Tensor photo = load_image(HIJACK_SOURCE_DIR "/samples/images/chelsea.png");
    image = model->to_input_space(photo);
    pixels = model->preprocess(image);
  }
  TokenIds read(const Context& context, const std::string& suffix) const {
    return model->input_ids(pixels, with_suffix(context, suffix));
  }

  std::shared_ptr<const VisionLanguageModel> model;
  Tensor image;
  Pixels pixels;
  std::vector<Context> contexts = {{.prompt = "What is it?"}, {.prompt = "Where is the cat?"}};
};

TEST(PlacedSuffix, ASwapExchangesOneTokenOfWhatTheModelReads) {
  for (const char* folder : kModels) {
    SCOPED_TRACE(folder);
    const Placed one(folder);
    const PlacedSuffix prompts(*one.model, one.contexts);
    const auto pool = printable_tokens(one.model->tokenizer());
    Random random(3);
    int64_t swaps = 0;
    for (uint64_t seed = 0; seed < 12; ++seed) {
      const std::string suffix = gibberish_suffix(one.model->tokenizer(), 6, seed);
      const auto placed = prompts.find(suffix);
      if (!placed) continue;
      for (int draws = 0; draws < 30; ++draws) {
        const auto place = static_cast<size_t>(random.below(static_cast<int64_t>(placed->ids.size())));
        const TokenId fresh = random.pick(pool);
        if (place + 1 == placed->ids.size() && !placed->tail.empty()) continue;  // the tail stays behind
        const auto text = prompts.exchanged(*placed, place, fresh);
        if (!text || fresh == placed->ids[place]) continue;
        ++swaps;
        for (const Context& context : one.contexts) {
          TokenIds expected = one.read(context, suffix);
          const auto first =
              std::search(expected.begin(), expected.end(), placed->ids.begin(), placed->ids.end());
          ASSERT_NE(first, expected.end());
          first[static_cast<std::ptrdiff_t>(place)] = fresh;
          EXPECT_EQ(one.read(context, *text), expected) << suffix << " | " << *text;
        }
      }
    }
    EXPECT_GT(swaps, 20);
  }
}

TEST(PlacedSuffix, ContextsThatCutASuffixDifferentlyAreNamed) {
  Placed one("llava/clip_gqa");  // whose tokens may end in a space
  one.contexts = {{.prompt = "What is it?"}, {.prompt = "say it, please"}};
  const PlacedSuffix prompts(*one.model, one.contexts);
  EXPECT_FALSE(prompts.find(gibberish_suffix(one.model->tokenizer(), 6, 0)));
  std::string said;
  GcgHooks hooks;
  hooks.note = [&](const std::string& text) { said += text; };
  const auto behavior = make_behavior({.name = "string", .target = "yes"});
  gcg_suffix(*one.model, one.image, one.contexts, *behavior, {.tokens = 6, .steps = 2, .candidates = 3}, 0,
             hooks);
  EXPECT_NE(said.find("not all contexts have the same"), std::string::npos) << said;
}

TEST(PlacedSuffix, TokensAreRankedWhereTheyStandThoughTheSuffixAloneHasOthers) {
  int64_t others = 0;
  for (const char* folder : kModels) {
    SCOPED_TRACE(folder);
    const Placed one(folder);
    const PlacedSuffix prompts(*one.model, one.contexts);
    const Tokenizer& tokenizer = one.model->tokenizer();
    const std::vector<TokenIds> targets(2, one.model->target_ids("yes"));
    int64_t found = 0;
    for (uint64_t seed = 0; seed < 20; ++seed) {
      const std::string suffix = gibberish_suffix(tokenizer, 6, seed);
      const auto placed = prompts.find(suffix);
      if (!placed) continue;
      ++found;
      if (placed->ids.size() == 6) continue;
      if (others++ > 4) continue;
      std::vector<Query> queries;
      for (const Context& context : one.contexts) queries.push_back(with_suffix(context, suffix));
      const Tensor scores =
          prompt_embeddings_of(*one.model).swap_scores(one.pixels, queries, targets, suffix, {});
      ASSERT_TRUE(scores.defined());
      EXPECT_EQ(scores.size(0), static_cast<int64_t>(placed->ids.size()));
      const auto behavior = make_behavior({.name = "string", .target = "yes"});
      GcgHooks hooks;
      hooks.note = [](const std::string& text) { ADD_FAILURE() << text; };
      const GcgResult result =
          gcg_suffix(*one.model, one.image, one.contexts, *behavior,
                     {.tokens = 6, .steps = 2, .candidates = 4, .top_k = 8}, seed, hooks);
      EXPECT_EQ(result.losses.size(), 2u);
    }
    EXPECT_GE(found, 18) << "of 20 suffixes";
  }
  EXPECT_GT(others, 0) << "suffixes with another number of tokens in place";
}

}  // namespace
}  // namespace hijack::placed_suffix_golden_test
