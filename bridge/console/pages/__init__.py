"""The pages, one module each: what a page's template is given. Nothing here changes anything."""
