# The catalogue is built into the program: models.toml becomes a raw string in a generated header.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/engine/models.toml)
file(READ ${CMAKE_SOURCE_DIR}/src/engine/models.toml loam_models_toml)
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/loam_engine/models_toml.inc
  CONTENT "R\"models_toml(@loam_models_toml@)models_toml\"\n" @ONLY)
target_include_directories(loam_engine PRIVATE ${CMAKE_BINARY_DIR}/generated/loam_engine)

# The text on which the loss of a quantisation is measured.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/engine/loss_text.txt)
file(READ ${CMAKE_SOURCE_DIR}/src/engine/loss_text.txt loam_loss_text)
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/loam_engine/loss_text.inc
  CONTENT "R\"loss_text(@loam_loss_text@)loss_text\"\n" @ONLY)
