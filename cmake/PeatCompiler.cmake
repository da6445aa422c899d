# Flags shared by every target: language level, warnings, sanitizers, compiler cache.

include(CheckCCompilerFlag)

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# Two files may have a name of file scope in common.
set(CMAKE_UNITY_BUILD OFF)

if(peat_alone)
    if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
        set(CMAKE_BUILD_TYPE Release CACHE STRING "Release, RelWithDebInfo, Debug or None" FORCE)
    endif()
    find_program(PEAT_CCACHE ccache)
    if(PEAT_CCACHE AND NOT CMAKE_C_COMPILER_LAUNCHER)
        set(CMAKE_C_COMPILER_LAUNCHER "${PEAT_CCACHE}")
    endif()
endif()

# PT_ASSERT is on in every build, PT_DCHECK only with PT_DEBUG: Debug and sanitizer builds.
if(PEAT_SANITIZE)
    add_compile_definitions(PT_DEBUG=1)
else()
    add_compile_definitions($<$<CONFIG:Debug>:PT_DEBUG=1>)
endif()

add_library(peat_flags INTERFACE)
target_compile_definitions(peat_flags INTERFACE _GNU_SOURCE)
target_compile_options(peat_flags INTERFACE -Wall -Wextra -Wconversion -Wshadow
    $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes> -Wvla -Wundef -Wimplicit-fallthrough)
if(PEAT_WERROR)
    target_compile_options(peat_flags INTERFACE -Werror)
endif()
# What an assertion names is db/commit.c, wherever the library was built.
check_c_compiler_flag(-fmacro-prefix-map=a=b PEAT_HAS_PREFIX_MAP)
if(PEAT_HAS_PREFIX_MAP)
    target_compile_options(peat_flags INTERFACE "-fmacro-prefix-map=${PROJECT_SOURCE_DIR}/src/=")
endif()

if(PEAT_SANITIZE STREQUAL "address")
    set(peat_sanitize_flags -fsanitize=address,undefined -fno-sanitize-recover=all
        -fno-omit-frame-pointer)
elseif(PEAT_SANITIZE STREQUAL "thread")
    set(peat_sanitize_flags -fsanitize=thread -fno-omit-frame-pointer)
elseif(PEAT_SANITIZE)
    message(FATAL_ERROR "PEAT_SANITIZE is '${PEAT_SANITIZE}'; use address, thread or nothing")
endif()
if(peat_sanitize_flags)
    # Global, so that every object and every link line agrees.
    add_compile_options(${peat_sanitize_flags})
    add_link_options(${peat_sanitize_flags})
endif()
