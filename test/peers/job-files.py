"""The job files of a Galaxy, for Pulsar's client and server alike: simple-job-files, which Pulsar's own tests use, and for resumable
uploads tuswsgi, which Galaxy uses. Only what connects the two is written here, after Galaxy's lib/galaxy/webapps/galaxy/api/job_files.py.

Environment: JOB_FILES_ROOT_DIRECTORY, all that is served and stored is below it; JOB_FILES_KEY; JOB_FILES_UPLOADS, a directory."""
import os
import shutil
from urllib.parse import unquote

from simplejobfiles.app import JobFilesApp
from tuswsgi import TusMiddleware
from webob import Request, Response, exc

UPLOAD_PATH = "/api/job_files/resumable_upload"
KEY = os.environ["JOB_FILES_KEY"]
ROOT = os.path.realpath(os.environ["JOB_FILES_ROOT_DIRECTORY"])
UPLOADS = os.environ["JOB_FILES_UPLOADS"]

# Refuses to send a file twice, as Galaxy may.
files = JobFilesApp(ROOT, allow_multiple_downloads=False)


def galaxy(environ, start_response):
    request = Request(environ)
    if request.path.startswith(UPLOAD_PATH):
        # The middleware has stored the last piece and calls what is behind it.
        return Response()(environ, start_response)
    if request.path != "/api/jobs/adb5f5c93f827949/files":
        return exc.HTTPNotFound()(environ, start_response)
    if request.GET.get("job_key") != KEY:
        return exc.HTTPForbidden("Invalid job_key supplied.")(environ, start_response)
    session = request.POST.get("session_id") if request.method == "POST" else None
    if session is not None:
        path = os.path.realpath(unquote(request.GET["path"]))
        assert path.startswith(ROOT + os.sep)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        shutil.move(os.path.join(UPLOADS, os.path.basename(session)), path)
        return Response()(environ, start_response)
    try:
        return files(environ, start_response)
    except exc.HTTPException as problem:
        return problem(environ, start_response)


app = TusMiddleware(galaxy, upload_path=UPLOAD_PATH, tmp_dir=UPLOADS)
