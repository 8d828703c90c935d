// Only here to carry the precompiled header (cmake/Targets.cmake).
