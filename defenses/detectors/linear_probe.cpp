#include "defenses/detectors/linear_probe.h"

namespace hijack {

LinearProbe::LinearProbe(const Parameters& parameters, const DefenseResources& resources)
    : parameters_(parameters) {
  parameters_.check();
  const TrainedFile file = read_trained(parameters_.file, resources, kName);
  model_ = LogisticModel::of(file.tensors, file.where);
  open(file, model_.weights.size(0), resources, kName);
  fit_on_submissions(parameters_.limit, resources);
}

}  // namespace hijack
