#include "defenses/votes/copy_vote.h"

#include "src/base/image.h"

namespace hijack {
namespace {

constexpr int64_t kCopiesAtOnce = 16;  // a hundred copies of a large image need not be in memory together

/// Equal for replies that count as the same one.
std::string ballot(const Reply& reply) {
  return normalized_reply(reply.text) + (reply.cut ? "\n(cut)" : "");
}

}  // namespace

std::string normalized_reply(const std::string& text) {
  std::string out;
  bool between_words = false;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool upper = c >= 'A' && c <= 'Z';
    if (!upper && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && byte < 0x80) {
      between_words = true;
      continue;
    }
    if (between_words && !out.empty()) out += ' ';
    between_words = false;
    out += upper ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return out;
}

Majority majority(std::span<const Reply> replies) {
  TORCH_CHECK(!replies.empty(), "a vote needs a reply");
  std::map<std::string, Majority> groups;
  for (size_t i = 0; i < replies.size(); ++i)
    ++groups.try_emplace(ballot(replies[i]), Majority{.member = i}).first->second.votes;
  Majority best;
  for (const auto& [text, group] : groups)
    if (group.votes > best.votes || (group.votes == best.votes && group.member < best.member)) best = group;
  return best;
}

int64_t votes_for(const Reply& reply, std::span<const Reply> replies) {
  const std::string wanted = ballot(reply);
  return std::count_if(replies.begin(), replies.end(),
                       [&](const Reply& other) { return ballot(other) == wanted; });
}

std::vector<Reply> CopyVote::replies_to_copies(const Submission& submission, const Responder& next) const {
  at::NoGradGuard no_grad;
  Random random = Random(seed_).fork(name(), content_key(submission));
  std::vector<Reply> replies;
  for (int64_t begin = 0; begin < copies_; begin += kCopiesAtOnce) {
    std::vector<Submission> copies;
    for (int64_t i = begin; i < std::min(copies_, begin + kCopiesAtOnce); ++i)
      copies.push_back({quantize(changed(submission.image, random)), submission.query, submission.draw});
    for (Reply& reply : pass_on(copies, next)) replies.push_back(std::move(reply));
  }
  return replies;
}

std::vector<Reply> CopyVote::answer(const std::vector<Submission>& submissions, const Responder& next) const {
  std::vector<Reply> replies(submissions.size());
  std::vector<Submission> without_image;
  std::vector<size_t> places;
  std::map<uint64_t, size_t> answered;  // the same submission gets the same copies: ask once
  for (size_t i = 0; i < submissions.size(); ++i) {
    if (!submissions[i].image.defined()) {
      without_image.push_back(submissions[i]);
      places.push_back(i);
      continue;
    }
    const auto [found, fresh] = answered.try_emplace(content_key(submissions[i]), i);
    if (!fresh) {
      replies[i] = replies[found->second];
      continue;
    }
    StageTrace stage{.stage = name()};
    replies[i] = decided(replies_to_copies(submissions[i], next), stage);
    add_stage(replies[i], std::move(stage));
  }
  std::vector<Reply> plain = pass_on(without_image, next);
  for (size_t k = 0; k < plain.size(); ++k) {
    add_stage(plain[k], {.stage = name(), .note = "no image"});
    replies[places[k]] = std::move(plain[k]);
  }
  return replies;
}

}  // namespace hijack
