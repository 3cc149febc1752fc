#include "models/endpoint/address.h"

#include <arpa/inet.h>

#include <mutex>

#include "src/base/error.h"

namespace hijack {
namespace {

/// Logins by shown address. Of the process, because the defenses of a run are made again from its manifest,
/// which must not hold them.
struct Logins {
  std::mutex mutex;
  std::map<std::string, std::string> by_address;
};

Logins& logins() {
  static Logins all;
  return all;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string percent_decoded(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool escape =
        text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0;
    out += escape ? static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2])) : text[i];
    if (escape) i += 2;
  }
  return out;
}

std::string host_of(const std::string& authority) {
  if (authority.starts_with('[')) return authority.substr(1, authority.find(']') - 1);
  return authority.substr(0, authority.find(':'));
}

[[noreturn]] void refuse(const std::string& address, const std::string& why) {
  // An '@' anywhere may belong to a login that was written wrongly.
  const std::string shown = address.substr(address.rfind('@') + 1);  // npos + 1 = 0
  throw Error("An endpoint must be an address like http://127.0.0.1:8080/v1" + why + ", not '" +
              shown.substr(0, 200) + "'.");
}

}  // namespace

EndpointAddress parse_address(const std::string& address) {
  const bool http = address.starts_with("http://") || address.starts_with("https://");
  if (!http || address.find_first_of(" \t\r\n") != std::string::npos) refuse(address, "");
  const size_t start = address.find("://") + 3;
  const size_t end = std::min(address.find_first_of("/?#", start), address.size());
  const std::string authority = address.substr(start, end - start), path = address.substr(end);
  if (path.find('@') != std::string::npos)
    refuse(address, ", where '/' in a password is written %2F and '@' in a path %40");
  if (path.find_first_of("?#") != std::string::npos)
    refuse(address.substr(0, address.find_first_of("?#")) + "?...",
           " without query (a key goes into $HIJACK_API_KEY)");
  const size_t at = authority.rfind('@');
  const std::string place = authority.substr(at + 1);  // npos + 1 = 0
  EndpointAddress parts;
  parts.server = address.substr(0, start) + place;
  parts.shown = parts.server + path;
  parts.base = path;
  while (parts.base.ends_with('/')) parts.base.pop_back();
  parts.host = host_of(place);
  if (at != std::string::npos) parts.login = percent_decoded(authority.substr(0, at));
  if (parts.host.empty()) refuse(address, ", with a server");
  return parts;
}

std::string hide_login(const std::string& address) {
  if (address.find('@') == std::string::npos) return address;
  EndpointAddress parts;
  try {
    parts = parse_address(address);
  } catch (const Error&) {
    return address;  // check() refuses it before anything is named after it
  }
  const std::scoped_lock lock(logins().mutex);
  logins().by_address[parts.shown] = parts.login;
  return parts.shown;
}

std::string login_of_address(const std::string& shown) {
  const std::scoped_lock lock(logins().mutex);
  const auto found = logins().by_address.find(shown);
  return found == logins().by_address.end() ? "" : found->second;
}

std::string without_login(std::string text) {
  constexpr std::string_view kScheme = "://", kParameter = "endpoint=";
  size_t start = text.find(kScheme);
  if (start != std::string::npos) {
    start += kScheme.size();
  } else {
    start = text.find(kParameter);
    if (start == std::string::npos) return text;
    start += kParameter.size();
  }
  const size_t at = text.rfind('@');
  if (at != std::string::npos && at >= start) text.erase(start, at + 1 - start);
  return text;
}

bool is_loopback(const std::string& host) {
  std::string lower = host;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (lower == "localhost") return true;
  in_addr four{};
  if (inet_pton(AF_INET, host.c_str(), &four) == 1) return (ntohl(four.s_addr) >> 24) == 127;
  in6_addr six{};
  return inet_pton(AF_INET6, host.c_str(), &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six) != 0;
}

}  // namespace hijack
