"""An inspection as one self-contained HTML page."""

from glic_pyg.inspection.page.document import page, write_page

__all__ = ["page", "write_page"]
