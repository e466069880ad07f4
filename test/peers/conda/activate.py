"""Prints the script with which py-rattler activates an environment: `activate.py ENVIRONMENT PATH`."""
import os
import sys
from pathlib import Path

from rattler.shell import ActivationVariables, Shell, activate

variables = ActivationVariables(None, [Path(each) for each in sys.argv[2].split(":")])
print(activate(Path(sys.argv[1]), variables, Shell.bash).script)
sys.stdout.flush()
os._exit(0)
