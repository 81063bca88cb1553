"""An inspection as one HTML page that needs nothing else: the data packed small, and what shows it."""

from glic_pyg.inspection.page.document import page, write_page

__all__ = ["page", "write_page"]
