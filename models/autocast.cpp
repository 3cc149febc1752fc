#include "models/autocast.h"

#include <ATen/autocast_mode.h>

namespace hijack {

Autocast::Autocast(at::Device device, bool on) : type_(device.type()), on_(on) {
  if (!on_) return;
  outer_on_ = at::autocast::is_autocast_enabled(type_);
  outer_dtype_ = at::autocast::get_autocast_dtype(type_);
  at::autocast::set_autocast_enabled(type_, true);
  at::autocast::set_autocast_dtype(type_, at::kBFloat16);
  at::autocast::increment_nesting();
}

Autocast::~Autocast() {
  if (!on_) return;
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  at::autocast::set_autocast_dtype(type_, outer_dtype_);
  at::autocast::set_autocast_enabled(type_, outer_on_);
}

}  // namespace hijack
