"""What a refusal must look like."""

import pytest

from minivae.errors import MinivaeError


def refusal(call, *args, **kwargs):
    """The message of the MinivaeError that the call must raise: one line."""
    with pytest.raises(MinivaeError) as caught:
        call(*args, **kwargs)
    message = str(caught.value)
    assert "\n" not in message
    assert ";" in message  # what is wrong; what would be right
    return message
