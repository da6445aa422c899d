# Flags shared by every target: language level, warnings, sanitizers, compiler cache.

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Release, RelWithDebInfo or Debug" FORCE)
endif()

# PT_ASSERT is on in every build, PT_DCHECK only with PT_DEBUG: Debug and sanitizer builds.
if(PEAT_SANITIZE OR CMAKE_BUILD_TYPE STREQUAL "Debug")
    add_compile_definitions(PT_DEBUG=1)
endif()
set(CMAKE_C_FLAGS_RELEASE "-O3 -g -DNDEBUG")
set(CMAKE_C_FLAGS_DEBUG "-O1 -g")

find_program(PEAT_CCACHE ccache)
if(PEAT_CCACHE AND NOT CMAKE_C_COMPILER_LAUNCHER)
    set(CMAKE_C_COMPILER_LAUNCHER "${PEAT_CCACHE}")
endif()

add_library(peat_flags INTERFACE)
target_compile_definitions(peat_flags INTERFACE _GNU_SOURCE)
target_compile_options(peat_flags INTERFACE -Wall -Wextra -Wconversion -Wshadow
    $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes> -Wvla -Wundef -Wimplicit-fallthrough)
if(PEAT_WERROR)
    target_compile_options(peat_flags INTERFACE -Werror)
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
