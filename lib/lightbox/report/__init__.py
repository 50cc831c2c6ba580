"""From executed notebooks to a report: HTML, PDF and DOCX."""
