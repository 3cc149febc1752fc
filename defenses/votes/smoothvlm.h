#pragma once
#include "defenses/parameters.h"
#include "defenses/votes/copy_vote.h"

namespace hijack {

/// Mask and vote, after SmoothVLM (Sun et al. 2024, arXiv:2405.10529): m copies of the image, in each a
/// random share of the pixels masked, swapped or replaced, and the majority of the replies. Departs from the
/// paper: replies are equal when their words are (normalized_reply), where the paper first sorts them into
/// attacked and not attacked, so that it works for any behavior, and free-form replies agree less often; and
/// the first reply of the majority is given, where the paper draws one.
class SmoothVlm : public CopyVote {
 public:
  static constexpr const char* kName = "smoothvlm";
  static constexpr const char* kHelp =
      "answers by the majority over copies with randomly masked pixels (after SmoothVLM, Sun et al. 2024; "
      "departs: replies vote together when their words are equal, not as attacked or not)";

  struct Parameters {
    double share = 0.2;
    int64_t copies = 10;
    std::string fill = "black";
    uint64_t seed = 0;

    template <class Visitor>
    void visit(Visitor&& field) {
      field("share", share, "share of the pixels that are changed, 0 to 0.99");
      field("copies", copies, "1 to 1000; each costs a reply");
      field("fill", fill, "what they become: black, noise (uniform colors), or swap (they change places)");
      field("seed", seed, "of the masks");
    }
    void check() const;
  };

  explicit SmoothVlm(const Parameters& parameters);
  std::string name() const override { return written_name(kName, parameters_); }
  Tensor changed(const Tensor& image, Random& random) const override;

 protected:
  Reply decided(const std::vector<Reply>& replies, StageTrace& stage) const override;

 private:
  Parameters parameters_;
};

}  // namespace hijack
