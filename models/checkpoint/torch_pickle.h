#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/tensor.h"

namespace hijack {

/// One tensor of a checkpoint of PyTorch: a view of a storage, which is a record of the archive.
struct PickledTensor {
  std::string name;  ///< in the state dict
  at::ScalarType dtype = at::kFloat;
  std::string storage;       ///< of letters and digits: the record is "data/STORAGE"
  int64_t storage_size = 0;  ///< in elements
  int64_t offset = 0;        ///< of the first element
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;
};

/// The tensors that the pickle of a state dict (`torch.save(model.state_dict(), ...)`) names, in its order.
/// A pickle is a program; this one is run by a machine that knows dicts, lists, tuples, texts and numbers,
/// and of calls only those that rebuild tensors: nothing is executed, and whatever else is asked for is an
/// Error that names it, as are views outside of their storage or with elements that share memory, and
/// programs that grow without bound. The state dict may lie in an entry `state_dict` or `model`; what is
/// beside it (epochs, settings) is left out. `where` names the file.
std::vector<PickledTensor> parse_torch_pickle(std::string_view bytes, const std::string& where);

}  // namespace hijack
