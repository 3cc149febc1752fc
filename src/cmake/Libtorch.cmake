# Finds libtorch 2 and wraps it as hijack::torch: CMAKE_PREFIX_PATH / Torch_DIR first, then the active python3, then
# .venv of the source folder. Also part of the installed package, where hijack_torch_hint names the libtorch that
# hijack was built with. Sets hijack_torch_error where none is found.

# A CUDA wheel without the CUDA toolkit cannot be loaded by find_package; its libraries need none, though.
function(hijack_torch_of_wheel root version)
  file(GLOB libraries ${root}/lib/libtorch_cuda.so ${root}/lib/libc10_cuda.so)
  add_library(hijack_torch_wheel INTERFACE IMPORTED GLOBAL)
  target_link_libraries(hijack_torch_wheel INTERFACE -Wl,--no-as-needed ${root}/lib/libtorch.so
                        ${root}/lib/libtorch_cpu.so ${root}/lib/libc10.so ${libraries} -Wl,--as-needed)
  set(Torch_FOUND TRUE PARENT_SCOPE)
  set(Torch_VERSION ${version} PARENT_SCOPE)
  set(TORCH_INSTALL_PREFIX ${root} PARENT_SCOPE)
  set(TORCH_LIBRARIES hijack_torch_wheel PARENT_SCOPE)
  set(TORCH_INCLUDE_DIRS ${root}/include ${root}/include/torch/csrc/api/include PARENT_SCOPE)
endfunction()

macro(hijack_try_python python)
  execute_process(COMMAND ${python} -c "import os, torch; print(os.path.dirname(torch.__file__), \
torch.__version__.split('+')[0], 'cuda' if torch.version.cuda else 'cpu', sep=';')"
                  OUTPUT_VARIABLE hijack_answer OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET
                  RESULT_VARIABLE hijack_python_failed)
  if(NOT hijack_python_failed)
    list(GET hijack_answer 0 hijack_torch_root)
    list(GET hijack_answer 1 hijack_torch_version)
    list(GET hijack_answer 2 hijack_torch_kind)
    find_program(HIJACK_NVCC nvcc)
    mark_as_advanced(HIJACK_NVCC)
    set(hijack_torch_source "${python}")
    if(hijack_torch_version VERSION_LESS 2)
      message(STATUS "libtorch ${hijack_torch_version} of ${python} is too old")
    elseif(hijack_torch_kind STREQUAL "cuda" AND NOT HIJACK_NVCC)
      hijack_torch_of_wheel(${hijack_torch_root} ${hijack_torch_version})
    else()
      find_package(Torch 2 QUIET PATHS ${hijack_torch_root}/share/cmake NO_DEFAULT_PATH)
    endif()
  endif()
endmacro()

set(hijack_log_level "${CMAKE_MESSAGE_LOG_LEVEL}")
set(CMAKE_MESSAGE_LOG_LEVEL ERROR)  # Torch's own files warn about parts that no wheel has
set(hijack_torch_source "CMAKE_PREFIX_PATH or Torch_DIR")
find_package(Torch 2 QUIET NO_SYSTEM_ENVIRONMENT_PATH NO_CMAKE_SYSTEM_PATH)
if(NOT Torch_FOUND AND hijack_torch_hint)
  set(hijack_torch_source "the libtorch hijack was built with")
  find_package(Torch 2 QUIET PATHS ${hijack_torch_hint}/share/cmake NO_DEFAULT_PATH)
endif()
foreach(hijack_python python3 ${CMAKE_SOURCE_DIR}/.venv/bin/python)
  if(NOT Torch_FOUND)
    hijack_try_python(${hijack_python})
  endif()
endforeach()

set(CMAKE_MESSAGE_LOG_LEVEL "${hijack_log_level}")

set(hijack_torch_error "")
if(NOT Torch_FOUND)
  set(hijack_torch_error "libtorch 2 was not found. Run `make setup` (installs it into .venv), or pass \
-DCMAKE_PREFIX_PATH=/path/to/libtorch.")
# Debian's libtorch-dev beside another libtorch mixes two versions in one process, which aborts at start.
elseif(NOT TORCH_INSTALL_PREFIX MATCHES "^/usr/?$" AND EXISTS /usr/include/torch/csrc/api/include/torch/torch.h)
  set(hijack_torch_error "Debian's libtorch-dev is installed beside libtorch ${Torch_VERSION}: the linker would mix \
the two and the program would abort at start. Remove it: apt-get remove libtorch-dev")
else()
  get_filename_component(TORCH_INSTALL_PREFIX "${TORCH_INSTALL_PREFIX}" ABSOLUTE)
  if(NOT hijack_FIND_QUIETLY)
    message(STATUS "libtorch ${Torch_VERSION} (from ${hijack_torch_source}: ${TORCH_INSTALL_PREFIX})")
  endif()
  if(NOT TARGET hijack::torch)
    add_library(hijack::torch INTERFACE IMPORTED GLOBAL)
    target_link_libraries(hijack::torch INTERFACE ${TORCH_LIBRARIES})
    target_include_directories(hijack::torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
  endif()
endif()
