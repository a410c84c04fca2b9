"""Fixtures that the tests of modeling/ share."""

import pytest
import transformers.dynamic_module_utils


@pytest.fixture(scope="session", autouse=True)
def own_modules(tmp_path_factory: pytest.TempPathFactory):
    """The code that is copied out of checkpoints stays in a temporary folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transformers.dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path_factory.mktemp("modules")))
        yield
