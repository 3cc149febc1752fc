# Finds libtorch: CMAKE_PREFIX_PATH / Torch_DIR first, then the active python3, then the project's .venv.
function(hijack_torch_of_python python out)
  execute_process(COMMAND ${python} -c "import torch; print(torch.utils.cmake_prefix_path)"
                  OUTPUT_VARIABLE prefix OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(failed)
    set(prefix "")
  endif()
  set(${out} "${prefix}" PARENT_SCOPE)
endfunction()

set(hijack_torch_source "CMAKE_PREFIX_PATH or Torch_DIR")
find_package(Torch QUIET NO_SYSTEM_ENVIRONMENT_PATH NO_CMAKE_SYSTEM_PATH)
foreach(python python3 ${PROJECT_SOURCE_DIR}/.venv/bin/python)
  if(NOT Torch_FOUND)
    hijack_torch_of_python(${python} prefix)
    if(prefix)
      set(hijack_torch_source "${python}")
      find_package(Torch QUIET PATHS ${prefix} NO_DEFAULT_PATH)
    endif()
  endif()
endforeach()
if(NOT Torch_FOUND)
  message(FATAL_ERROR "libtorch was not found. Run `make setup` (installs it into .venv), or pass "
                      "-DCMAKE_PREFIX_PATH=/path/to/libtorch.")
endif()
message(STATUS "libtorch ${Torch_VERSION} (from ${hijack_torch_source}: ${TORCH_INSTALL_PREFIX})")

# Debian's libtorch-dev beside another libtorch mixes two versions in one process, which aborts at start.
if(NOT TORCH_INSTALL_PREFIX STREQUAL "/usr" AND EXISTS /usr/include/torch/csrc/api/include/torch/torch.h)
  message(FATAL_ERROR "Debian's libtorch-dev is installed beside libtorch ${Torch_VERSION}: the linker would mix "
                      "the two and the program would abort at start. Remove it: apt-get remove libtorch-dev")
endif()
