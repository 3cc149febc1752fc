# Every library the project uses, found in one place. See CONTRIBUTING, "Libraries".
include(Libtorch)
if(hijack_torch_error)
  message(FATAL_ERROR "${hijack_torch_error}")
endif()

find_package(nlohmann_json 3.10 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_path(BOOST_MATH_INCLUDE_DIR boost/math/distributions/binomial.hpp REQUIRED)  # headers only
find_package(PkgConfig REQUIRED)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)
find_path(STB_INCLUDE_DIR stb_image.h PATH_SUFFIXES stb REQUIRED)
find_path(CLI11_INCLUDE_DIR CLI/CLI.hpp REQUIRED)
find_path(TOMLPLUSPLUS_INCLUDE_DIR toml++/toml.h REQUIRED)
find_package(spdlog REQUIRED)

# OpenCV decodes photos and encodes JPEG. Machines without it (bare GPU servers) fall back to stb: they can
# train and attack, but have no JPEG defense.
find_package(OpenCV QUIET COMPONENTS core imgproc imgcodecs)
if(OpenCV_FOUND)
  message(STATUS "OpenCV ${OpenCV_VERSION}")
else()
  message(STATUS "OpenCV not found: photos are decoded by stb_image, and the JPEG defense is left out")
endif()

# The ocr defense reads pictures with Tesseract.
find_path(TESSERACT_INCLUDE_DIR tesseract/baseapi.h)
find_library(TESSERACT_LIBRARY tesseract)
if(NOT TESSERACT_INCLUDE_DIR OR NOT TESSERACT_LIBRARY)
  message(STATUS "Tesseract not found: the ocr defense is left out")
endif()

# Victims, judges and defenses behind an OpenAI-compatible API, and hijack serve; without it only local models.
pkg_check_modules(HTTPLIB QUIET IMPORTED_TARGET cpp-httplib)
if(NOT HTTPLIB_FOUND)
  message(STATUS "cpp-httplib not found: no endpoints and no hijack serve")
endif()
