#pragma once

namespace hijack {

/// The chat template that a family's folders have on the hub, for those without one.
struct PublishedTemplate {
  const char* whose;
  const char* text;
};

extern const PublishedTemplate kLlavaTemplate;
extern const PublishedTemplate kMistralTemplate;
extern const PublishedTemplate kChatMlTemplate;
extern const PublishedTemplate kLlavaOnevisionTemplate;
extern const PublishedTemplate kQwen2VlTemplate;  ///< and Qwen2.5-VL's
extern const PublishedTemplate kQwen3VlTemplate;
extern const PublishedTemplate kSmolVlmTemplate;
extern const PublishedTemplate kGemma3Template;
extern const PublishedTemplate kInternVlTemplate;

/// Conversations of LLaVA's own code, whose messages are texts: `v1` of Vicuna, `v0` ("### Human"), LLaMA-2's
/// and Mistral's [INST] turns, ChatML.
extern const PublishedTemplate kOriginalV1;
extern const PublishedTemplate kOriginalV0;
extern const PublishedTemplate kOriginalLlama2;
extern const PublishedTemplate kOriginalMistral;
extern const PublishedTemplate kOriginalChatMl;

}  // namespace hijack
