# The questions of the bias probe are built into the program: bias_templates.json becomes a raw string.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/tasks/bias_templates.json)
file(READ ${CMAKE_SOURCE_DIR}/src/tasks/bias_templates.json loam_bias_templates)
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/loam_tasks/bias_templates.inc
  CONTENT "R\"bias_templates(@loam_bias_templates@)bias_templates\"\n" @ONLY)
target_include_directories(loam_tasks PRIVATE ${CMAKE_BINARY_DIR}/generated/loam_tasks)
