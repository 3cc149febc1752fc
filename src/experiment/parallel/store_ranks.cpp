#include "src/experiment/parallel/store_ranks.h"

#include <ATen/ATen.h>
#include <c10/util/Logging.h>

#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <cstring>

#include "src/base/environment.h"
#include "src/base/error.h"
#include "src/experiment/parallel/store.h"
#include "src/experiment/record/manifest.h"

namespace hijack {
namespace {

using SteadyClock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using Bytes = std::vector<uint8_t>;

constexpr int64_t kPieceBytes = 4 << 20;  // libtorch's server takes messages of up to 8 MiB
constexpr size_t kLongestText = 1 << 20;
constexpr int kLeasesToCome = 5;
constexpr int kFatal = 3;  // of libtorch's log
constexpr milliseconds kBetweenLooks(250);
constexpr const char* kGoOn =
    "; start all processes again with --resume, which goes on from the last checkpoint.";

/// In front of the values of a message.
struct Head {
  uint64_t magic = 0x314b4e4152'4b4a48;  // "HJKRANK1"
  uint64_t width = 0;                    ///< bytes of a value
  uint64_t first = 0, count = 0;         ///< which values of the sum
};

Bytes packed(const Tensor& piece, int64_t first) {
  const Head head{.width = static_cast<uint64_t>(piece.element_size()),
                  .first = static_cast<uint64_t>(first),
                  .count = static_cast<uint64_t>(piece.numel())};
  Bytes bytes(sizeof head + piece.nbytes());
  std::memcpy(bytes.data(), &head, sizeof head);
  if (piece.nbytes() > 0) std::memcpy(bytes.data() + sizeof head, piece.const_data_ptr(), piece.nbytes());
  return bytes;
}

/// Values like those of `like`, from rank `from`.
Tensor unpacked(const Bytes& bytes, const Tensor& like, int64_t first, int64_t from) {
  const Bytes wanted = packed(like, first);
  if (bytes.size() != wanted.size() || std::memcmp(bytes.data(), wanted.data(), sizeof(Head)) != 0)
    throw Failure("Rank " + std::to_string(from) + " has sent something else than the " +
                  std::to_string(like.numel()) + " numbers that this step asks for (" +
                  std::to_string(bytes.size()) + " bytes instead of " + std::to_string(wanted.size()) +
                  "): start all processes with the same program, flags and files.");
  Tensor values = at::empty_like(like);
  if (values.nbytes() > 0) std::memcpy(values.data_ptr(), bytes.data() + sizeof(Head), values.nbytes());
  return values;
}

/// One line of at most 2000 bytes: it comes from the net and is shown.
std::string one_line(const Bytes& bytes) {
  std::string text(bytes.begin(),
                   bytes.begin() + static_cast<std::ptrdiff_t>(std::min<size_t>(bytes.size(), 2000)));
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 32 || c == 127) c = ' ';
  return text;
}

using StorePointer = c10::intrusive_ptr<c10d::TCPStore>;

StorePointer connected(const WorkerPlace& place, bool serve, milliseconds patience) {
  FLAGS_caffe2_log_level = kFatal;  // or c10d writes of every wait, with the stack
  if (auto store = opened_store(place, serve, patience)) return store;
  throw Error("The store of the processes at " + place.address + ":" + std::to_string(place.port) +
              " cannot be " + (serve ? "opened" : "reached") +
              ": check MASTER_ADDR, MASTER_PORT (is another program on it?) and that rank 0 runs.");
}

}  // namespace

/// The store under a prefix of its own, with the signs of life of all ranks.
class StoreRanks::Store {
 public:
  Store(const WorkerPlace& place_in, milliseconds lease_in)
      : place(place_in),
        lease(lease_in),
        store_(connected(place, place.rank == 0 && !place.store_exists, kLeasesToCome * lease)),
        seen_(static_cast<size_t>(place.size)) {
    const std::string restart = environment("TORCHELASTIC_RESTART_COUNT");
    prefix_ = "hijack/ranks/" + (restart.empty() ? "0" : restart) + "/";
    // torchrun's store outlives an attack: every rank's n-th meets the others' n-th
    prefix_ += std::to_string(store_->add(prefix_ + "attacks/" + std::to_string(place.rank), 1)) + "/";
    add("beat/" + std::to_string(place.rank), 1);  // from here on it can be lost
    heart_ =
        beating(lease / 10, [own = connected(place, false, kLeasesToCome * lease),
                             key = prefix_ + "beat/" + std::to_string(place.rank)] { own->add(key, 1); });
  }

  const WorkerPlace place;
  const milliseconds lease;

  /// A name for the next message of all.
  std::string next() { return std::to_string(messages_++) + "/"; }

  void put(const std::string& key, const Bytes& bytes) {
    guarded([&] { store_->set(prefix_ + key, bytes); });
  }
  /// Waits until `from` has put it.
  Bytes read(const std::string& key, int64_t from) {
    seen_[static_cast<size_t>(from)].since = SteadyClock::now();
    while (!is_there(key)) look_after(from);
    return guarded([&] { return store_->get(prefix_ + key); });
  }
  Bytes take(const std::string& key, int64_t from) {
    Bytes bytes = read(key, from);
    guarded([&] { store_->deleteKey(prefix_ + key); });
    return bytes;
  }
  /// What everybody reads stays until nobody can be about to.
  void put_for_all(const std::string& key, const Bytes& bytes) {
    put(key, bytes);
    published_.push_back(key);
  }
  /// All have read what was published so far.
  void sweep() {
    for (const std::string& key : std::exchange(published_, {}))
      guarded([&] { store_->deleteKey(prefix_ + key); });
  }

  int64_t add(const std::string& key, int64_t value) {
    return guarded([&] { return store_->add(prefix_ + key, value); });
  }
  bool has(const std::string& key) {
    return guarded([&] { return store_->check({prefix_ + key}); });
  }

 private:
  struct Seen {
    int64_t beats = 0;
    SteadyClock::time_point since;
  };

  template <class Work>
  auto guarded(const Work& work) -> decltype(work()) {
    try {
      return work();
    } catch (const std::exception&) {
      throw RankLost("The store of the processes is gone, which " +
                     std::string(place.store_exists ? "torchrun" : "rank 0") + " served" + kGoOn);
    }
  }

  bool is_there(const std::string& key) {
    return guarded([&] {
      try {
        store_->wait({prefix_ + key}, kBetweenLooks);
        return true;
      } catch (const c10::DistStoreError&) {
        return false;  // not yet
      }
    });
  }

  void look_after(int64_t rank) {
    if (has("ended")) throw RankLost(one_line(guarded([&] { return store_->get(prefix_ + "ended"); })));
    const int64_t beats = add("beat/" + std::to_string(rank), 0);
    Seen& seen = seen_[static_cast<size_t>(rank)];
    if (beats != seen.beats) {
      seen = {beats, SteadyClock::now()};
      return;
    }
    const milliseconds patience = beats == 0 ? kLeasesToCome * lease : lease;
    if (SteadyClock::now() - seen.since < patience) return;
    const std::string seconds = std::to_string((patience.count() + 999) / 1000) + " s";
    throw RankLost("Rank " + std::to_string(rank) +
                   (beats == 0
                        ? " has not come within " + seconds + ": check that all processes were started."
                        : " is lost, it has given no sign of life for " + seconds + kGoOn));
  }

  StorePointer store_;
  std::string prefix_;
  int64_t messages_ = 0;
  std::vector<std::string> published_;
  std::vector<Seen> seen_;
  std::jthread heart_;  // last: it uses the others
};

StoreRanks::StoreRanks(const WorkerPlace& place, milliseconds lease)
    : store_(std::make_unique<Store>(place, lease)) {
  const std::string mine = "hijack " + hijack_version() + ", " + std::to_string(size()) + " ranks";
  const std::string its = from_first(mine);
  if (its != mine)
    throw Error("Rank 0 is " + its + ", and rank " + std::to_string(rank()) + " is " + mine +
                ": start all processes with the same program.");
  sum(at::zeros({1}));  // all are there
}
StoreRanks::~StoreRanks() = default;

int64_t StoreRanks::rank() const {
  return store_->place.rank;
}
int64_t StoreRanks::size() const {
  return store_->place.size;
}

std::string StoreRanks::from_first(const std::string& text) {
  TORCH_CHECK(text.size() <= kLongestText, "too long a text for all ranks");
  const std::string key = store_->next() + "first";
  if (first()) {
    store_->put_for_all(key, Bytes(text.begin(), text.end()));
    return text;
  }
  const Bytes bytes = store_->read(key, 0);
  if (bytes.size() > kLongestText)
    throw Failure("Rank 0 has sent a text of " + std::to_string(bytes.size()) +
                  " bytes: start all processes with the same program, flags and files.");
  return {bytes.begin(), bytes.end()};
}

Tensor StoreRanks::sum(const Tensor& own) {
  TORCH_CHECK(own.is_cpu() && (own.scalar_type() == at::kFloat || own.scalar_type() == at::kDouble),
              "ranks add up float32 or float64 on the CPU");
  const std::string key = store_->next();
  const Tensor flat = own.detach().contiguous().flatten(), total = at::empty_like(flat);
  const int64_t step = kPieceBytes / static_cast<int64_t>(flat.element_size());
  const auto piece_at = [&](int64_t begin) {
    return flat.narrow(0, begin, std::min(step, flat.numel() - begin));
  };
  const auto name = [&](int64_t begin, const std::string& of) {
    return key + std::to_string(begin) + "/" + of;
  };
  for (int64_t begin = 0; begin < flat.numel() && !first(); begin += step)
    store_->put(name(begin, std::to_string(rank())), packed(piece_at(begin), begin));
  for (int64_t begin = 0; begin < flat.numel(); begin += step) {
    const Tensor piece = piece_at(begin), place = total.narrow(0, begin, piece.numel());
    if (!first()) {
      place.copy_(unpacked(store_->read(name(begin, "sum"), 0), piece, begin, 0));
      continue;
    }
    Tensor wide = piece.to(at::kDouble, /*non_blocking=*/false, /*copy=*/true);
    for (int64_t from = 1; from < size(); ++from)
      wide += unpacked(store_->take(name(begin, std::to_string(from)), from), piece, begin, from);
    place.copy_(wide);
    if (begin == 0) store_->sweep();
    store_->put_for_all(name(begin, "sum"), packed(place, begin));
  }
  return total.view(own.sizes());
}

void StoreRanks::end_early(const std::string& why) noexcept {
  try {
    if (!store_->has("ended")) store_->put("ended", Bytes(why.begin(), why.end()));
  } catch (const std::exception&) {
    return;  // the store is gone, and with it the others
  }
  leave();
}

void StoreRanks::leave() noexcept {
  try {
    store_->add("left", 1);
    if (!first() || store_->place.store_exists) return;
    const auto last = SteadyClock::now() + std::min<milliseconds>(store_->lease, std::chrono::seconds(5));
    while (store_->add("left", 0) < size() && SteadyClock::now() < last)
      std::this_thread::sleep_for(milliseconds(20));
  } catch (const std::exception&) {
    // nobody is left to wait for
  }
}

}  // namespace hijack
