#include "defenses/kinds.h"

#include "src/base/image.h"
#include "src/base/tensor_math.h"
#include "src/base/text.h"

namespace hijack {
namespace {

struct Hash {
  uint64_t value = fnv1a("");

  void add(const void* data, size_t size) { value = fnv1a({static_cast<const char*>(data), size}, value); }
  void add(const std::string& text) {
    const uint64_t size = text.size();
    add(&size, sizeof size);  // so that "ab","c" and "a","bc" differ
    add(text.data(), text.size());
  }
  void add(const Query& query) {
    add(query.prompt);
    add(query.system);
    for (const Turn& turn : query.earlier) {
      add(turn.user);
      add(turn.assistant);
    }
  }
  void add(const Tensor& image) {
    if (!image.defined()) return;
    const Tensor values = image.detach().to(at::kCPU, at::kFloat).contiguous();
    for (int64_t side : values.sizes()) add(&side, sizeof side);
    add(values.const_data_ptr(), values.nbytes());
  }
};

void check_image(const Tensor& image) {
  TORCH_CHECK(image.dim() == 4 && image.size(0) == 1 && image.size(1) == 3, "image must be [1,3,H,W], not ",
              image.sizes());
}

std::string change_note(const Tensor& before, const Tensor& after) {
  std::ostringstream note;
  note.precision(2);
  note << std::fixed;
  if (before.sizes() != after.sizes()) {
    note << "image " << before.size(2) << "x" << before.size(3) << " became " << after.size(2) << "x"
         << after.size(3);
  } else {
    note << "mean change " << (before - after).abs().mean().item<double>() * 255 << "/255";
  }
  return note.str();
}

}  // namespace

uint64_t content_key(const Submission& submission) {
  Hash hash;
  hash.add(submission.query);
  hash.add(submission.image);
  if (submission.draw > 0) hash.add(&submission.draw, sizeof submission.draw);
  return hash.value;
}

uint64_t content_key(const Query& query) {
  Hash hash;
  hash.add(query);
  return hash.value;
}

uint64_t content_key(const Tensor& image) {
  Hash hash;
  hash.add(image);
  return hash.value;
}

bool same_image(const Tensor& a, const Tensor& b) {
  return a.is_same(b) || (a.defined() && b.defined() && at::equal(a, b));
}

std::vector<Reply> pass_on(const std::vector<Submission>& submissions, const Responder& next) {
  if (submissions.empty()) return {};
  std::vector<Reply> replies = next(submissions);
  TORCH_CHECK(replies.size() == submissions.size(), "a responder gave ", replies.size(), " replies to ",
              submissions.size(), " submissions");
  return replies;
}

void add_stage(Reply& reply, StageTrace stage) {
  reply.trace.insert(reply.trace.begin(), std::move(stage));
}

std::vector<Reply> pass_unrejected(const std::vector<Submission>& submissions, std::vector<StageTrace> stages,
                                   const Responder& next) {
  TORCH_CHECK(stages.size() == submissions.size(), stages.size(), " stages for ", submissions.size(),
              " submissions");
  std::vector<Submission> passed;
  for (size_t i = 0; i < stages.size(); ++i)
    if (!stages[i].rejected) passed.push_back(submissions[i]);
  std::vector<Reply> inner = pass_on(passed, next);
  std::vector<Reply> replies;
  size_t used = 0;
  for (StageTrace& stage : stages) {
    Reply reply = stage.rejected ? Reply{.text = kRejectionText, .rejected = true} : std::move(inner[used++]);
    add_stage(reply, std::move(stage));
    replies.push_back(std::move(reply));
  }
  return replies;
}

std::vector<double> TextDetector::scores(std::span<const Query> queries) const {
  std::vector<double> all;
  for (const Query& query : queries) all.push_back(score(query));
  return all;
}

namespace {

/// The queries of submissions, of which many share one: each once.
struct DistinctQueries {
  explicit DistinctQueries(const std::vector<Submission>& submissions) {
    for (const Submission& submission : submissions)
      if (position.try_emplace(content_key(submission.query), queries.size()).second)
        queries.push_back(submission.query);
  }
  size_t of(const Submission& submission) const { return position.at(content_key(submission.query)); }

  std::vector<Query> queries;
  std::map<uint64_t, size_t> position;
};

}  // namespace

std::vector<Reply> TextDetector::answer(const std::vector<Submission>& submissions,
                                        const Responder& next) const {
  const DistinctQueries distinct(submissions);
  const std::vector<double> found = scores(distinct.queries);
  TORCH_CHECK(found.size() == distinct.queries.size(), name(), " scored ", found.size(), " of ",
              distinct.queries.size());
  std::vector<StageTrace> stages;
  for (const Submission& submission : submissions) {
    const double score = found[distinct.of(submission)];
    // Written so that a score that is not a number is rejected.
    const bool rejected = !(score <= threshold());
    stages.push_back({.stage = name(), .rejected = rejected, .score = score, .threshold = threshold()});
  }
  return pass_unrejected(submissions, std::move(stages), next);
}

std::vector<Reply> DecodingDefense::answer(const std::vector<Submission>& submissions,
                                           const Responder& next) const {
  std::vector<Reply> replies = pass_on(submissions, next);
  for (Reply& reply : replies) add_stage(reply, {.stage = name()});
  return replies;
}

std::vector<Query> TextTransform::surrogate_queries(const std::vector<Query>& queries) const {
  std::vector<Query> seen;
  for (Rewritten& one : rewrite(queries)) seen.push_back(std::move(one.query));
  return seen;
}

std::vector<Reply> TextTransform::answer(const std::vector<Submission>& submissions,
                                         const Responder& next) const {
  const DistinctQueries distinct(submissions);
  const std::vector<Rewritten> rewritten = rewrite(distinct.queries);
  TORCH_CHECK(rewritten.size() == distinct.queries.size(), name(), " rewrote ", rewritten.size(), " of ",
              distinct.queries.size(), " queries");

  std::vector<Submission> changed = submissions;
  for (Submission& submission : changed) submission.query = rewritten[distinct.of(submission)].query;
  std::vector<Reply> replies = pass_on(changed, next);
  for (size_t i = 0; i < replies.size(); ++i) {
    const Rewritten& done = rewritten[distinct.of(submissions[i])];
    add_stage(replies[i], {.stage = name(), .note = done.note});
  }
  return replies;
}

Tensor ImageTransform::transformed(const Submission& submission) const {
  check_image(submission.image);
  at::NoGradGuard no_grad;
  Random random = Random(seed_).fork(name(), content_key(submission));
  return apply(submission.image, random);
}

Tensor ImageTransform::surrogate(const Tensor& image, Random& random) const {
  Tensor value;
  {
    at::NoGradGuard no_grad;
    value = apply(image.detach(), random);
  }
  return straight_through(value, image);
}

std::vector<Reply> ImageTransform::answer(const std::vector<Submission>& submissions,
                                          const Responder& next) const {
  std::vector<Submission> changed = submissions;
  // A deterministic transform changes each image once, and equal images stay one tensor: the model behind can
  // tell that they share their vision pass.
  std::map<const void*, Tensor> done;
  for (Submission& submission : changed) {
    if (!submission.image.defined()) continue;
    if (randomized()) {
      submission.image = transformed(submission);
    } else {
      Tensor& result = done[submission.image.unsafeGetTensorImpl()];
      if (!result.defined()) result = transformed(submission);
      submission.image = result;
    }
  }
  std::vector<Reply> replies = pass_on(changed, next);
  for (size_t i = 0; i < replies.size(); ++i) {
    const bool has_image = submissions[i].image.defined();
    add_stage(replies[i],
              {.stage = name(),
               .note = has_image ? change_note(submissions[i].image, changed[i].image) : "no image"});
  }
  return replies;
}

}  // namespace hijack
