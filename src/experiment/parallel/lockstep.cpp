#include "src/experiment/parallel/lockstep.h"

#include <ATen/Parallel.h>

#include <chrono>
#include <exception>
#include <semaphore>
#include <thread>

#include "models/model_decorator.h"
#include "src/base/error.h"

namespace hijack {
namespace {

using LockstepClock = std::chrono::steady_clock;

double seconds_since(LockstepClock::time_point begin) {
  return std::chrono::duration<double>(LockstepClock::now() - begin).count();
}

}  // namespace

struct LockstepSeat::Request {
  enum class Kind { kLogits, kReplies, kGradients } kind;
  const VisionLanguageModel* model = nullptr;  ///< that is asked
  std::span<const ImageQueries> images = {};
  bool with_gradients = false;  ///< kLogits
  GenerateOptions options = {};
  Tensor loss = {};
  std::vector<Tensor> wanted = {};

  /// Whether one pass answers both.
  bool goes_with(const Request& other) const;
};

struct LockstepSeat::Answer {
  std::vector<std::vector<Tensor>> logits = {};
  std::vector<std::vector<Generated>> replies = {};
  std::vector<Tensor> gradients = {};
};

/// The baton goes through two semaphores: `go` lets the trial work, `back` says that it waits or has ended.
struct LockstepSeat::Thread {
  std::binary_semaphore go{0}, back{0};
  std::optional<Request> request;  ///< while it waits
  Answer answer;
  std::exception_ptr no_answer, failure;
  bool ended = false;
  double seconds = 0;  ///< up to `since`
  LockstepClock::time_point since;
  std::jthread thread;
};

bool LockstepSeat::Request::goes_with(const Request& other) const {
  if (kind != other.kind) return false;
  if (kind == Kind::kGradients) return true;
  if (model != other.model) return false;
  if (kind == Kind::kLogits) return with_gradients == other.with_gradients;
  const auto alone = [](const GenerateOptions& asked) {  // its draws or calls are counted by place
    return (asked.temperature > 0 && asked.seeds.empty()) || asked.on_text || asked.stop.stop_possible();
  };
  const GenerateOptions &a = options, &b = other.options;
  return !alone(a) && !alone(b) && a.max_new_tokens == b.max_new_tokens && a.temperature == b.temperature &&
         a.top_p == b.top_p && a.top_k == b.top_k && a.seeds.empty() == b.seeds.empty();
}

/// Passes on to the seat what can be answered together.
class LockstepModel : public ModelDecorator {
 public:
  LockstepModel(std::shared_ptr<const VisionLanguageModel> model, LockstepSeat& seat)
      : ModelDecorator(std::move(model)), seat_(seat) {}

  std::vector<Tensor> target_logits(const Pixels& pixels, std::span<const Query> queries,
                                    std::span<const TokenIds> targets) const override {
    const ImageQueries one{pixels, {queries.begin(), queries.end()}, {targets.begin(), targets.end()}};
    return std::move(logits_of_images({&one, 1}).front());
  }
  std::vector<Generated> generate(const Pixels& pixels, std::span<const Query> queries,
                                  const GenerateOptions& options) const override {
    const ImageQueries one{pixels, {queries.begin(), queries.end()}};
    return std::move(replies_of_images({&one, 1}, options).front());
  }
  std::vector<std::vector<Tensor>> logits_of_images(std::span<const ImageQueries> images) const override {
    if (images.empty()) return {};
    return seat_
        .meet({.kind = LockstepSeat::Request::Kind::kLogits,
               .model = &inner(),
               .images = images,
               .with_gradients = at::GradMode::is_enabled()})
        .logits;
  }
  std::vector<std::vector<Generated>> replies_of_images(std::span<const ImageQueries> images,
                                                        const GenerateOptions& options) const override {
    if (images.empty()) return {};
    return seat_
        .meet({.kind = LockstepSeat::Request::Kind::kReplies,
               .model = &inner(),
               .images = images,
               .options = options})
        .replies;
  }

 private:
  LockstepSeat& seat_;
};

LockstepSeat::LockstepSeat() : thread_(std::make_unique<Thread>()) {}
LockstepSeat::~LockstepSeat() = default;

std::shared_ptr<const VisionLanguageModel> LockstepSeat::in_turn(
    std::shared_ptr<const VisionLanguageModel> model) {
  return std::make_shared<const LockstepModel>(std::move(model), *this);
}

std::vector<Tensor> LockstepSeat::gradients(const Tensor& loss, const std::vector<Tensor>& wanted) {
  return meet({.kind = Request::Kind::kGradients, .loss = loss, .wanted = wanted}).gradients;
}

double LockstepSeat::seconds() const {
  return thread_->seconds + seconds_since(thread_->since);
}

LockstepSeat::Answer LockstepSeat::meet(Request request) {
  thread_->request = std::move(request);
  thread_->back.release();
  thread_->go.acquire();
  thread_->request.reset();
  if (const auto none = std::exchange(thread_->no_answer, nullptr)) std::rethrow_exception(none);
  return std::exchange(thread_->answer, {});
}

Lockstep::Lockstep(size_t seats) {
  for (size_t i = 0; i < seats; ++i) seats_.push_back(std::make_unique<LockstepSeat>());
}
Lockstep::~Lockstep() = default;

bool Lockstep::ended(size_t index) const {
  return seats_[index]->thread_->ended;
}

std::exception_ptr Lockstep::failure(size_t index) const {
  return seats_[index]->thread_->failure;
}

/// Lets the trial work until it waits or ends.
void Lockstep::go_on(LockstepSeat& seat) {
  LockstepSeat::Thread& thread = *seat.thread_;
  thread.since = LockstepClock::now();
  thread.go.release();
  thread.back.acquire();
  thread.seconds += seconds_since(thread.since);
}

/// All threads, or none where the system has no more.
void Lockstep::begin(const std::function<void(size_t)>& work) {
  size_t begun = 0;
  try {
    for (; begun < seats_.size(); ++begun)
      seats_[begun]->thread_->thread = std::jthread([&work, seat = seats_[begun].get(), begun] {
        LockstepSeat::Thread& thread = *seat->thread_;
        thread.go.acquire();
        try {
          at::init_num_threads();  // as many as the thread that runs the passes has
          if (!thread.ended) work(begun);
        } catch (...) {
          thread.failure = std::current_exception();
        }
        thread.ended = true;
        thread.back.release();
      });
  } catch (const std::system_error&) {
    for (size_t i = 0; i < begun; ++i) {
      seats_[i]->thread_->ended = true;
      go_on(*seats_[i]);
    }
    throw Failure("the system gives no more threads for trials side by side; give --image-batch 1.");
  }
}

void Lockstep::run(const std::function<void(size_t)>& work, const std::function<void()>& between) {
  begin(work);
  for (const auto& seat : seats_) go_on(*seat);
  const auto all_ended = [&] {
    return std::all_of(seats_.begin(), seats_.end(), [](const auto& seat) { return seat->thread_->ended; });
  };
  std::exception_ptr failed;
  for (bool last = false; !last;) {
    last = all_ended();
    try {
      if (!failed) between();
    } catch (...) {  // no trial is left waiting
      failed = std::current_exception();
      for (const auto& seat : seats_) seat->request_stop();
    }
    if (!last) answer();
  }
  if (failed) std::rethrow_exception(failed);
}

/// Backward passes wait until nobody asks for logits or replies: then every graph that was made together has
/// all its losses, and is gone through once.
void Lockstep::answer() {
  Seats asking, wanting;
  for (const auto& seat : seats_) {
    if (seat->thread_->ended) continue;
    const bool backward = seat->thread_->request->kind == LockstepSeat::Request::Kind::kGradients;
    (backward ? wanting : asking).push_back(seat.get());
  }
  if (asking.empty()) asking = std::move(wanting);
  const Seats answered = asking;
  while (!asking.empty()) {
    const LockstepSeat::Request& first = *asking.front()->thread_->request;
    const auto others = std::stable_partition(asking.begin() + 1, asking.end(), [&](const auto* seat) {
      return seat->thread_->request->goes_with(first);
    });
    answer_together({asking.begin(), others});
    asking.erase(asking.begin(), others);
  }
  for (LockstepSeat* seat : answered) go_on(*seat);
}

/// Where what all want cannot be had, each gets its own answer or its own error.
void Lockstep::answer_together(const Seats& asking) {
  const auto begin = LockstepClock::now();
  std::exception_ptr failed;
  try {
    pass_over(asking);
  } catch (...) {
    failed = std::current_exception();
  }
  const double each = seconds_since(begin) / static_cast<double>(asking.size());
  for (LockstepSeat* seat : asking) seat->thread_->seconds += each;
  if (!failed) return;
  const bool once = asking.front()->thread_->request->kind == LockstepSeat::Request::Kind::kGradients;
  for (LockstepSeat* seat : asking) {
    if (once || asking.size() == 1)
      seat->thread_->no_answer = failed;
    else
      answer_together({seat});
  }
}

namespace {

/// The next `count` of `all`.
template <class Result>
std::vector<Result> next_of(std::vector<Result>& all, size_t& next, size_t count) {
  const auto begin = std::make_move_iterator(all.begin() + static_cast<std::ptrdiff_t>(next));
  next += count;
  return {begin, begin + static_cast<std::ptrdiff_t>(count)};
}

}  // namespace

void Lockstep::pass_over(const Seats& asking) {
  using Kind = LockstepSeat::Request::Kind;
  const LockstepSeat::Request& first = *asking.front()->thread_->request;
  if (first.kind == Kind::kGradients) return pass_backward(asking);
  std::vector<ImageQueries> images;
  GenerateOptions options = first.options;
  options.seeds.clear();
  for (const LockstepSeat* seat : asking) {
    const LockstepSeat::Request& one = *seat->thread_->request;
    images.insert(images.end(), one.images.begin(), one.images.end());
    options.seeds.insert(options.seeds.end(), one.options.seeds.begin(), one.options.seeds.end());
  }
  const at::AutoGradMode mode(first.with_gradients);
  std::vector<std::vector<Tensor>> logits;
  std::vector<std::vector<Generated>> replies;
  if (first.kind == Kind::kLogits)
    logits = first.model->logits_of_images(images);
  else
    replies = first.model->replies_of_images(images, options);
  size_t next = 0;
  for (LockstepSeat* seat : asking) {
    const size_t count = seat->thread_->request->images.size();
    if (first.kind == Kind::kLogits)
      seat->thread_->answer.logits = next_of(logits, next, count);
    else
      seat->thread_->answer.replies = next_of(replies, next, count);
  }
}

void Lockstep::pass_backward(const Seats& asking) {
  std::vector<Tensor> losses, wanted;
  for (const LockstepSeat* seat : asking) {
    const LockstepSeat::Request& one = *seat->thread_->request;
    losses.push_back(one.loss.sum());
    wanted.insert(wanted.end(), one.wanted.begin(), one.wanted.end());
  }
  auto gradients = torch::autograd::grad(losses, wanted, {}, std::nullopt, false, /*allow_unused=*/true);
  size_t next = 0;
  for (LockstepSeat* seat : asking)
    seat->thread_->answer.gradients = next_of(gradients, next, seat->thread_->request->wanted.size());
}

}  // namespace hijack
