#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace hijack {

/// Ordinary requests of a chat, of our own writing: forms (advice, explanations, poems, lists, letters, small
/// talk, ...) over topics. The held-out ones have forms and topics of their own.
enum class ChatSplit { kTrain, kHeldOut };
/// n different prompts, or as many as there are; a pure function of its arguments.
std::vector<std::string> chat_prompts(ChatSplit split, int64_t n, uint64_t seed);

}  // namespace hijack
