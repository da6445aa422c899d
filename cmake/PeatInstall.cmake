# What is installed, in three components: runtime (the shared library), dev (headers, the archive, what
# CMake and pkg-config read, the examples), command (the command, its manual and completion).

file(GLOB peat_headers CONFIGURE_DEPENDS include/*.h)
install(FILES ${peat_headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev)
install(TARGETS peat peat_static EXPORT peat_targets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT dev
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT runtime)
file(GLOB peat_example_files CONFIGURE_DEPENDS examples/*.c)
install(FILES ${peat_example_files} DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples COMPONENT dev)

set(peat_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/peat)
install(EXPORT peat_targets NAMESPACE peat:: FILE peat-targets.cmake
    DESTINATION ${peat_cmake_dir} COMPONENT dev)
configure_package_config_file(cmake/peat-config.cmake.in peat-config.cmake
    INSTALL_DESTINATION ${peat_cmake_dir})
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file(peat-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/peat-config.cmake
    ${CMAKE_CURRENT_BINARY_DIR}/peat-config-version.cmake
    DESTINATION ${peat_cmake_dir} COMPONENT dev)

# peat.pc says where things are from where it lies itself, so that an installed tree can be moved. A
# folder that was given as an absolute path stays one.
set(peat_pc_dir ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig)
set(PEAT_PC_PREFIX "${CMAKE_INSTALL_PREFIX}")
if(NOT IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
    file(RELATIVE_PATH peat_from_pc "${peat_pc_dir}" "${CMAKE_INSTALL_PREFIX}")
    string(REGEX REPLACE "/$" "" peat_from_pc "${peat_from_pc}")
    set(PEAT_PC_PREFIX "\${pcfiledir}/${peat_from_pc}")
endif()
foreach(folder LIBDIR INCLUDEDIR)
    if(IS_ABSOLUTE "${CMAKE_INSTALL_${folder}}")
        set(PEAT_PC_${folder} "${CMAKE_INSTALL_${folder}}")
    else()
        file(RELATIVE_PATH peat_from_pc "${peat_pc_dir}" "${CMAKE_INSTALL_FULL_${folder}}")
        string(REGEX REPLACE "/$" "" peat_from_pc "${peat_from_pc}")
        set(PEAT_PC_${folder} "\${pcfiledir}/${peat_from_pc}")
    endif()
endforeach()
configure_file(peat.pc.in peat.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/peat.pc
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT dev)

if(PEAT_COMMAND)
    install(TARGETS peat_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT command)
    install(DIRECTORY ${peat_man_dir}/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT command
        FILES_MATCHING PATTERN "*.1")
    install(FILES ${peat_man_dir}/peat.bash RENAME peat OPTIONAL
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT command)
endif()
