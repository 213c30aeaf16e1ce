# find_package(lunette): the targets lunette::lunette (shared) and lunette::static.
get_filename_component(LUNETTE_PREFIX "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)

if(NOT TARGET lunette::lunette)
  add_library(lunette::lunette SHARED IMPORTED)
  set_target_properties(lunette::lunette PROPERTIES
    IMPORTED_LOCATION "${LUNETTE_PREFIX}/lib/liblunette.so.0"
    IMPORTED_SONAME "liblunette.so.0"
    INTERFACE_INCLUDE_DIRECTORIES "${LUNETTE_PREFIX}/include")

  add_library(lunette::static STATIC IMPORTED)
  set_target_properties(lunette::static PROPERTIES
    IMPORTED_LOCATION "${LUNETTE_PREFIX}/lib/liblunette.a"
    INTERFACE_INCLUDE_DIRECTORIES "${LUNETTE_PREFIX}/include"
    INTERFACE_LINK_LIBRARIES "m;dl;pthread")
endif()
