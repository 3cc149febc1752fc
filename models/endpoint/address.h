#pragma once
#include <string>

namespace hijack {

/// The parts of an endpoint's address, "https://user:password@host:8000/v1".
struct EndpointAddress {
  std::string shown;   ///< "https://host:8000/v1": what names, files and messages say
  std::string server;  ///< "https://host:8000"
  std::string base;    ///< "/v1", without a slash at its end
  std::string host;    ///< "host"; of an address in brackets what is between them
  std::string login;   ///< "user:password", percent signs decoded; empty = none
};

/// Throws Error, which does not repeat a login, for what is no http or https address, and for one with a
/// query or a fragment: keys stand there, and would end up in names and files.
EndpointAddress parse_address(const std::string& address);

/// The address without its login. The process keeps the login for `login_of_address`: configs, names and
/// files never hold it. What cannot be parsed stays as it is.
std::string hide_login(const std::string& address);

/// The login that the process was last given for this address (as `hide_login` returned it), or "".
std::string login_of_address(const std::string& shown);

/// For messages: any text without what may be a login, from the first "://" to the last '@'.
std::string without_login(std::string text);

/// Whether what is sent to this host stays on this machine: localhost, 127.0.0.0/8 or ::1.
bool is_loopback(const std::string& host);

}  // namespace hijack
