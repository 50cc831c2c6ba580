"""The bundled fonts; everything that draws or sets text takes them from here."""
