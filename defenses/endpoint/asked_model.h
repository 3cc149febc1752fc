#pragma once
#include "defenses/own_model.h"
#include "models/endpoint/endpoint.h"

namespace hijack {

/// Whom a defense of texts asks: the attacked model's decoder, a model of its own, or a server.
struct AskedModelParameters {
  EndpointParameters server = {};
  OwnModelParameters own = {};

  template <class Visitor>
  void visit(Visitor&& field) {
    server.visit(field);
    own.visit(field);
  }
  /// Throws Error for both a server and a model, too.
  void check() const;
  /// What names may say of them (EndpointParameters::hide_login, OwnModelParameters::shorten).
  void make_public() {
    server.hide_login();
    own.shorten();
  }
};

/// The model to ask; `otherwise` where the parameters name none. Throws Error as own_model does.
std::shared_ptr<const LanguageModel> asked_model(const AskedModelParameters& parameters,
                                                 const DefenseResources& resources,
                                                 const std::shared_ptr<const LanguageModel>& otherwise,
                                                 const std::string& defense);

}  // namespace hijack
