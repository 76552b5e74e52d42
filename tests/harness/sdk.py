"""How the Python SDK's failures and pages are read in tests."""

from contextlib import contextmanager

import pytest
from svix.exceptions import HTTPValidationError, HttpError


@contextmanager
def refused(status, code=None):
    """The call inside must fail as the SDK's typed error with this status, and with this code if given."""
    with pytest.raises(HttpError) as caught:
        yield
    assert caught.value.status_code == status, caught.value
    assert caught.value.code and caught.value.detail, "both fields are for people to read"
    if code:
        assert caught.value.code == code, caught.value


@contextmanager
def invalid(*fields):
    """The call inside must fail with the validation form, its items pointing at these fields."""
    with pytest.raises(HTTPValidationError) as caught:
        yield
    assert caught.value.status_code == 422
    assert caught.value.detail, "an empty list explains nothing"
    for item in caught.value.detail:
        assert item.loc and item.msg and item.type, item
    named = {part for item in caught.value.detail for part in item.loc}
    assert set(fields) <= named, f"{fields} not named in {caught.value.detail}"


def walk(fetch, options, limit, *, back_to=None):
    """All pages forwards; each page's iterator leads to the next. Returns the pages' items, page by page."""
    pages, iterator = [], None
    while True:
        page = fetch(options(limit=limit, iterator=iterator))
        assert len(page.data) <= limit
        pages.append(page.data)
        if page.done:
            return pages
        assert page.data and page.iterator, "a page that is not the last one leads on"
        iterator = page.iterator
        assert len(pages) < 100, "the pages do not end"
