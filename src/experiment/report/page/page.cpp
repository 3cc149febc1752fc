#include "src/base/sha256.h"
#include "src/experiment/report/page/parts.h"
#include "src/experiment/report/page/script.h"
#include "src/experiment/report/page/style.h"
#include "src/experiment/report/values/text.h"

namespace hijack::report {
namespace {

/// How a content security policy names a script or style sheet: 'sha256-…' in base 64.
std::string policy_hash(const std::string& text) {
  const std::string digits = sha256(text);
  std::string bytes;
  for (size_t i = 0; i < digits.size(); i += 2)
    bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  return "'sha256-" + base64(bytes) + "'";
}

}  // namespace

std::string page(const std::string& title, const std::string& body) {
  // The policy makes the promise checkable: nothing from the network, and no script or style but these two,
  // whatever a row might smuggle in.
  const std::string policy = "default-src 'none'; img-src data:; style-src " + policy_hash(kStyle) +
                             "; script-src " + policy_hash(kScript) + "; base-uri 'none'; form-action 'none'";
  return "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"" +
         policy + "\">\n<meta name=\"color-scheme\" content=\"light dark\">\n<title>" + html(title, 200) +
         "</title>\n<style>" + kStyle + "</style></head>\n<body><main>\n" + body + "</main>\n<script>" +
         kScript + "</script></body></html>\n";
}

std::string section(const std::string& id, const std::string& heading, const std::string& body) {
  return "<section id=\"" + html(id) + "\"><h2>" + html(heading, 200) + "</h2>\n" + body + "</section>\n";
}

}  // namespace hijack::report
