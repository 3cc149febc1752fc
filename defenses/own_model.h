#pragma once
#include <string>

#include "defenses/resources.h"

namespace hijack {

/// The parameter of defenses that may work with a model of their own in place of the attacked one.
struct OwnModelParameters {
  std::string model;

  template <class Visitor>
  void visit(Visitor&& field) {
    field("model", model,
          "folder of a language model or a vision-language model (hijack models --list) that does this in "
          "place of the attacked one; several defenses that name one folder share it");
  }
  bool given() const { return !model.empty(); }
  /// Leaves the last part of the folder: what names and rows call the model. Which one it was, its hash says
  /// (`models` of the manifest). To be called when it is loaded.
  void shorten();
};

/// The model of the folder. Throws Error naming `defense` where nothing loads models, and as load_model.
std::shared_ptr<const VisionLanguageModel> own_model(const OwnModelParameters& parameters,
                                                     const DefenseResources& resources,
                                                     const std::string& defense);

}  // namespace hijack
