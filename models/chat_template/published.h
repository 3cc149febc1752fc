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
extern const PublishedTemplate kQwen2VlTemplate;
extern const PublishedTemplate kSmolVlmTemplate;

}  // namespace hijack
