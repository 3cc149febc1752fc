# hijack_library(NAME name SOURCES a.cpp ... LINKS libs ...): one static library per folder, warnings set,
# the shared precompiled header reused, sources compiled in batches. Includes are written from the project's root.
option(HIJACK_UNITY "Compile sources in batches, which is faster; off: each by itself" ON)
set(HIJACK_BATCH 12 CACHE STRING "Sources of a batch")
mark_as_advanced(HIJACK_BATCH)

function(hijack_compiles_in_batches target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${HIJACK_UNITY} UNITY_BUILD_BATCH_SIZE ${HIJACK_BATCH})
endfunction()

add_library(hijack_options INTERFACE)
target_compile_features(hijack_options INTERFACE cxx_std_20)
set(hijack_flags -Wall -Wextra -Wnon-virtual-dtor -Woverloaded-virtual)
if(HIJACK_UNITY AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  list(APPEND hijack_flags -Wshadow=local)  # the names of another file of the batch are not the file's own
else()
  list(APPEND hijack_flags -Wshadow)
endif()
if(HIJACK_WERROR)
  list(APPEND hijack_flags -Werror)
endif()
target_compile_options(hijack_options INTERFACE "$<BUILD_INTERFACE:${hijack_flags}>")
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # wrong at -O3 inside std::string (gcc's bug 105651); the dev preset keeps them
  set(hijack_quiet -Wno-stringop-overflow -Wno-stringop-overread -Wno-array-bounds -Wno-restrict)
  target_compile_options(hijack_options INTERFACE "$<BUILD_INTERFACE:$<$<CONFIG:Release>:${hijack_quiet}>>")
endif()
if(HIJACK_SANITIZE)
  target_compile_options(hijack_options INTERFACE -fsanitize=${HIJACK_SANITIZE} -fno-omit-frame-pointer
                         -fno-sanitize-recover=all)
  target_link_options(hijack_options INTERFACE -fsanitize=${HIJACK_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    # gcc's own manual: sanitizers make this warning wrong (here: inside std::regex)
    target_compile_options(hijack_options INTERFACE -Wno-maybe-uninitialized)
  endif()
endif()
if(HIJACK_FUZZ)
  # vptr would need the type information of libraries that are built without it
  target_compile_options(hijack_options INTERFACE -fsanitize=fuzzer-no-link -fno-sanitize=vptr,function)
endif()
target_include_directories(hijack_options INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
                           $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/hijack>)
target_link_libraries(hijack_options INTERFACE hijack::torch)
install(TARGETS hijack_options EXPORT hijackTargets)

add_library(hijack_pch OBJECT ${PROJECT_SOURCE_DIR}/src/base/pch.cpp)
target_link_libraries(hijack_pch PRIVATE hijack_options nlohmann_json::nlohmann_json)
target_precompile_headers(hijack_pch PRIVATE ${PROJECT_SOURCE_DIR}/src/base/pch.h)

function(hijack_library)
  cmake_parse_arguments(ARG "" "NAME" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  add_library(${ARG_NAME} STATIC ${ARG_SOURCES})
  # Public headers use nlohmann/json_fwd.hpp.
  target_link_libraries(${ARG_NAME} PUBLIC hijack_options nlohmann_json::nlohmann_json ${ARG_LINKS}
                        PRIVATE ${ARG_PRIVATE_LINKS})
  target_precompile_headers(${ARG_NAME} REUSE_FROM hijack_pch)
  hijack_compiles_in_batches(${ARG_NAME})
endfunction()
