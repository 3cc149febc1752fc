#include "src/experiment/report/parts.h"
#include "src/experiment/report/style.h"
#include "src/experiment/report/text.h"

namespace hijack::report {

std::string page(const std::string& title, const std::string& body) {
  // The policy makes the promise checkable: no script, nothing from the network.
  return "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
         "style-src 'unsafe-inline'\">\n<meta name=\"color-scheme\" content=\"light dark\">\n<title>" +
         html(title, 200) + "</title>\n<style>" + kStyle + "</style></head>\n<body><main>\n" + body +
         "</main></body></html>\n";
}

std::string section(const std::string& id, const std::string& heading, const std::string& body) {
  return "<section id=\"" + html(id) + "\"><h2>" + html(heading, 200) + "</h2>\n" + body + "</section>\n";
}

}  // namespace hijack::report
