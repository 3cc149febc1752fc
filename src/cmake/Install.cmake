# cmake --install: the program, the libraries with their headers, find_package(hijack), and the shipped data.
include(CMakePackageConfigHelpers)
set(hijack_libraries hijack_base hijack_models hijack_attacks hijack_defenses hijack_pocket hijack_training hijack_experiment)
foreach(library ${hijack_libraries})
  string(REPLACE hijack_ "" short ${library})
  set_target_properties(${library} PROPERTIES EXPORT_NAME ${short})
endforeach()
set_target_properties(hijack_options PROPERTIES EXPORT_NAME options)

install(TARGETS ${hijack_libraries} EXPORT hijackTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
# INSTALL_RPATH_USE_LINK_PATH would leave out a libtorch inside the source folder (.venv).
set_target_properties(hijack PROPERTIES INSTALL_RPATH ${TORCH_INSTALL_PREFIX}/lib)
install(TARGETS hijack RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY attacks defenses models DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/hijack
        FILES_MATCHING PATTERN "*.h")
install(DIRECTORY src/base src/pocket src/experiment DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/hijack/src
        FILES_MATCHING PATTERN "*.h" PATTERN pch.h EXCLUDE)
install(FILES src/hijack.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/hijack/src)
foreach(data pocket pocket-2 contexts images configs presets recipes)
  if(EXISTS ${PROJECT_SOURCE_DIR}/samples/${data})
    install(DIRECTORY samples/${data} DESTINATION ${CMAKE_INSTALL_DATADIR}/hijack)
  endif()
endforeach()

# Shell completion, written by the program itself when it is installed; not where it cannot run (another machine's).
if(NOT CMAKE_CROSSCOMPILING)
  set(hijack_completions ${PROJECT_BINARY_DIR}/completions)
  install(CODE "
    file(MAKE_DIRECTORY \"${hijack_completions}\")
    foreach(shell bash zsh)
      execute_process(COMMAND \"$<TARGET_FILE:hijack>\" completion \${shell} RESULT_VARIABLE failed
                      OUTPUT_FILE \"${hijack_completions}/hijack.\${shell}\" ERROR_VARIABLE why)
      if(failed)
        file(REMOVE \"${hijack_completions}/hijack.\${shell}\")
        message(WARNING \"no completion for \${shell} is installed: \${why}\")
      endif()
    endforeach()")
  install(FILES ${hijack_completions}/hijack.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
          RENAME hijack OPTIONAL)
  install(FILES ${hijack_completions}/hijack.zsh DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions
          RENAME _hijack OPTIONAL)
endif()

set(hijack_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/hijack)
install(EXPORT hijackTargets NAMESPACE hijack:: DESTINATION ${hijack_package_dir})
configure_package_config_file(src/cmake/hijackConfig.cmake.in ${PROJECT_BINARY_DIR}/hijackConfig.cmake
                              INSTALL_DESTINATION ${hijack_package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/hijackConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/hijackConfig.cmake ${PROJECT_BINARY_DIR}/hijackConfigVersion.cmake
        src/cmake/Libtorch.cmake DESTINATION ${hijack_package_dir})
