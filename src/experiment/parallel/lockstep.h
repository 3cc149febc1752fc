#pragma once
#include <exception>
#include <functional>
#include <memory>
#include <stop_token>
#include <vector>

#include "models/vision_language_model.h"

// Trials side by side. Each runs as it would alone, in a thread of its own, of which one works at a time;
// where it asks the model or wants a gradient it waits until all others do, too, or have ended. What they
// want of one kind is then answered in one pass. Who is asked about together follows from the trials, not
// from the clock.

namespace hijack {

class Lockstep;

/// The place of one trial among those that run side by side. Used by that trial's thread.
class LockstepSeat {
 public:
  LockstepSeat();
  ~LockstepSeat();
  LockstepSeat(const LockstepSeat&) = delete;
  LockstepSeat& operator=(const LockstepSeat&) = delete;

  /// `model` whose logits and replies are asked for together with the other seats'. The seat must outlive it.
  std::shared_ptr<const VisionLanguageModel> in_turn(std::shared_ptr<const VisionLanguageModel> model);
  /// Of a loss [N] to what is wanted (AttackHooks::gradients), from one backward pass with the other seats'.
  std::vector<Tensor> gradients(const Tensor& loss, const std::vector<Tensor>& wanted);
  /// The trial's work so far: what it did alone, and its share of what was done together.
  double seconds() const;
  /// Ends this trial after its step.
  std::stop_token stop() const { return stop_.get_token(); }
  void request_stop() { stop_.request_stop(); }

 private:
  friend class Lockstep;
  friend class LockstepModel;
  struct Thread;
  struct Request;
  struct Answer;
  Answer meet(Request request);

  std::unique_ptr<Thread> thread_;
  std::stop_source stop_;
};

class Lockstep {
 public:
  explicit Lockstep(size_t seats);
  ~Lockstep();

  size_t size() const { return seats_.size(); }
  LockstepSeat& seat(size_t index) { return *seats_[index]; }

  /// Runs work(index) at each seat until all have ended. between: called before each pass and at the end,
  /// while all trials wait; what they wrote may be read. What a seat's work throws is kept for it (failure);
  /// what `between` throws ends all trials after their step and goes on from here. Throws Failure where the
  /// system has no threads.
  void run(const std::function<void(size_t)>& work, const std::function<void()>& between);
  /// Whether the work at a seat has ended, and what it threw; null for nothing.
  bool ended(size_t index) const;
  std::exception_ptr failure(size_t index) const;

 private:
  using Seats = std::vector<LockstepSeat*>;
  void begin(const std::function<void(size_t)>& work);
  void go_on(LockstepSeat& seat);
  void answer();
  void answer_together(const Seats& asking);
  static void pass_over(const Seats& asking);
  static void pass_backward(const Seats& asking);

  std::vector<std::unique_ptr<LockstepSeat>> seats_;
};

}  // namespace hijack
