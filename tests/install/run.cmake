# cmake -DBUILD=... -DWORK=... -DSOURCE=... -DGENERATOR=... -DCXX=... -DSANITIZE=... -P run.cmake
# Installs the build into WORK, builds the consumer project against it, runs consumer and installed program.
cmake_minimum_required(VERSION 3.22)

function(step)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE failed OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(failed)
    string(REPLACE ";" " " command "${ARGN}")
    message(FATAL_ERROR "${command} failed (${failed}):\n${output}")
  endif()
  set(step_output "${output}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE ${WORK})
step(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix)
foreach(header hijack/attacks/attack.h hijack/defenses/defense.h hijack/models/load_model.h hijack/src/base/error.h
        hijack/src/experiment/record/results.h)
  if(NOT EXISTS ${WORK}/prefix/include/${header})
    message(FATAL_ERROR "${header} was not installed")
  endif()
endforeach()

step(${CMAKE_COMMAND} -S ${SOURCE}/tests/install -B ${WORK}/build -G ${GENERATOR} -DCMAKE_CXX_COMPILER=${CXX}
     -DCMAKE_BUILD_TYPE=Debug -DCMAKE_PREFIX_PATH=${WORK}/prefix)
step(${CMAKE_COMMAND} --build ${WORK}/build)
step(${WORK}/build/consumer ${SOURCE}/tests/golden/llava/clip_gqa ${SOURCE}/tests/golden/llava/images/wide.png
     ${WORK}/out.png)
message(STATUS "consumer: ${step_output}")
step(${WORK}/prefix/bin/hijack --version)
message(STATUS "hijack --version: ${step_output}")

foreach(completion bash-completion/completions/hijack zsh/site-functions/_hijack)
  if(NOT EXISTS ${WORK}/prefix/share/${completion})
    message(FATAL_ERROR "share/${completion} was not installed")
  endif()
endforeach()
file(WRITE ${WORK}/complete.sh "source ${WORK}/prefix/share/bash-completion/completions/hijack
COMP_WORDS=(hijack attack --behavior st)\nCOMP_CWORD=3\n_hijack\necho \"\${COMPREPLY[@]}\"\n")
step(bash ${WORK}/complete.sh)
if(NOT step_output STREQUAL "string\n")
  message(FATAL_ERROR "the installed completion offers for --behavior st: ${step_output}")
endif()
message(STATUS "completion: ${step_output}")
