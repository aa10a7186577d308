from tests.actions.test_link import *
import pytest
@pytest.mark.timeout(40)
@pytest.mark.parametrize("n", range(12))
async def test_x(two, n):
    await test_two_that_are_linked_to_each_other_at_once_are_linked_one_way(two)
