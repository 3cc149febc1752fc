# hijack_library(NAME name SOURCES a.cpp ... LINKS libs ...): one static library per folder, warnings set,
# the shared precompiled header reused. Includes are written from the project's root.
add_library(hijack_options INTERFACE)
target_compile_features(hijack_options INTERFACE cxx_std_20)
target_compile_options(hijack_options INTERFACE $<BUILD_INTERFACE:-Wall -Wextra -Wshadow -Wnon-virtual-dtor
                       -Woverloaded-virtual $<$<BOOL:${HIJACK_WERROR}>:-Werror>>)
if(HIJACK_SANITIZE)
  target_compile_options(hijack_options INTERFACE -fsanitize=${HIJACK_SANITIZE} -fno-omit-frame-pointer
                         -fno-sanitize-recover=all)
  target_link_options(hijack_options INTERFACE -fsanitize=${HIJACK_SANITIZE})
endif()
target_include_directories(hijack_options INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
                           $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/hijack>)
target_include_directories(hijack_options SYSTEM INTERFACE $<BUILD_INTERFACE:${TORCH_INCLUDE_DIRS}>)
target_link_libraries(hijack_options INTERFACE ${TORCH_LIBRARIES})

add_library(hijack_pch OBJECT ${PROJECT_SOURCE_DIR}/src/base/pch.cpp)
target_link_libraries(hijack_pch PRIVATE hijack_options nlohmann_json::nlohmann_json)
target_precompile_headers(hijack_pch PRIVATE ${PROJECT_SOURCE_DIR}/src/base/pch.h)

function(hijack_library)
  cmake_parse_arguments(ARG "" "NAME" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  add_library(${ARG_NAME} STATIC ${ARG_SOURCES})
  target_link_libraries(${ARG_NAME} PUBLIC hijack_options ${ARG_LINKS} PRIVATE nlohmann_json::nlohmann_json
                        ${ARG_PRIVATE_LINKS})
  target_precompile_headers(${ARG_NAME} REUSE_FROM hijack_pch)
endfunction()
