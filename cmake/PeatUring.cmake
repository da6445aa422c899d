# peat_has_uring: liburing is there, and is for this compiler: what was found may be another C library's,
# or older than what is used of it.

include(CheckCSourceCompiles)

set(peat_has_uring OFF)
if(PEAT_URING)
    find_path(PEAT_URING_INCLUDE liburing.h)
    find_library(PEAT_URING_LIBRARY uring)
    if(PEAT_URING_INCLUDE AND PEAT_URING_LIBRARY)
        set(CMAKE_REQUIRED_DEFINITIONS -D_GNU_SOURCE)
        set(CMAKE_REQUIRED_INCLUDES ${PEAT_URING_INCLUDE})
        set(CMAKE_REQUIRED_LIBRARIES ${PEAT_URING_LIBRARY})
        check_c_source_compiles("#include <liburing.h>
            #include <stdio.h>
            int main(void)
            {
                struct io_uring ring;
                struct io_uring_cqe *cqe;
                struct io_uring_params params = {.flags = IORING_SETUP_CLAMP};
                int e = io_uring_queue_init_params(1, &ring, &params);
                io_uring_prep_read(io_uring_get_sqe(&ring), 0, &e, sizeof e, 0);
                return io_uring_ring_dontfork(&ring) + io_uring_register_eventfd(&ring, 0) + io_uring_submit(&ring) +
                    io_uring_wait_cqe(&ring, &cqe) + (int)(params.features & IORING_FEAT_RW_CUR_POS);
            }" PEAT_URING_WORKS)
        unset(CMAKE_REQUIRED_DEFINITIONS)
        unset(CMAKE_REQUIRED_INCLUDES)
        unset(CMAKE_REQUIRED_LIBRARIES)
    endif()
    if(PEAT_URING_WORKS)
        set(peat_has_uring ON)
    elseif(NOT PEAT_URING STREQUAL "AUTO")
        message(FATAL_ERROR "PEAT_URING is ${PEAT_URING}, but liburing was not found or does not work: "
            "install liburing-dev")
    endif()
endif()
