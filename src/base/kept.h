#pragma once
#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

namespace hijack {

/// What was made for the latest keys, so that it is not made again: as many entries as `room` takes in the
/// sum of their costs. Safe to use from several threads. A copy begins empty: it belongs to another object.
template <class Key, class Value>
class Kept {
 public:
  explicit Kept(int64_t room) : room_(room) {}
  Kept(const Kept& other) : room_(other.room_) {}
  Kept& operator=(const Kept&) = delete;

  std::optional<Value> find(const Key& key) {
    const std::scoped_lock lock(mutex_);
    const auto place = places_.find(key);
    if (place == places_.end()) return {};
    entries_.splice(entries_.begin(), entries_, place->second);  // the latest first
    return entries_.front().value;
  }

  /// Nothing is kept of what costs more than the room.
  void keep(Key key, Value value, int64_t cost) {
    if (cost > room_) return;
    const std::scoped_lock lock(mutex_);
    const auto [place, fresh] = places_.try_emplace(std::move(key));
    if (!fresh) return;  // another thread was faster
    entries_.push_front({&place->first, std::move(value), cost});
    place->second = entries_.begin();
    for (used_ += cost; used_ > room_; entries_.pop_back()) {
      used_ -= entries_.back().cost;
      places_.erase(places_.find(*entries_.back().key));
    }
  }

 private:
  struct Entry {
    const Key* key;  // in places_
    Value value;
    int64_t cost;
  };
  using Entries = std::list<Entry>;

  const int64_t room_;
  std::mutex mutex_;
  int64_t used_ = 0;
  Entries entries_;
  std::map<Key, typename Entries::iterator> places_;
};

}  // namespace hijack
