package conformance

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"k8s.io/apiserver/pkg/storage/value/encrypt/envelope/kmsv2"
	kmsapi "k8s.io/kms/apis/v2"
	kmsservice "k8s.io/kms/pkg/service"
)

const (
	// plaintext and requestUID are the constants of the contract's conformance suite.
	plaintext  = "kubernetes secret payload"
	requestUID = "safe-request-uid"
	// callTimeout is what the lab's EncryptionConfiguration and kube-apiserver's default say.
	callTimeout = 3 * time.Second
	// patience bounds the wait for a condition. It is no measurement: nothing is expected to need it.
	patience = 90 * time.Second
)

// setting reads what the driver has to tell.
func setting(t *testing.T, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Fatalf("%s is not set: run these tests with tests/run --only conformance", name)
	}
	return value
}

func socketPath(t *testing.T) string { return setting(t, "BAOKMS_SOCKET") }

func providerName(t *testing.T) string { return setting(t, "BAOKMS_PROVIDER_NAME") }

// newService is the API server's client: one connection, as for one entry of
// EncryptionConfiguration.
func newService(t *testing.T) kmsservice.Service {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	service, err := kmsv2.NewGRPCService(ctx, "unix://"+socketPath(t), providerName(t), callTimeout)
	if err != nil {
		t.Fatalf("NewGRPCService: %v", err)
	}
	return service
}

// newClient is the generated client alone; authority "" leaves out WithAuthority, as API servers
// before 1.32 do.
func newClient(t *testing.T, authority string) kmsapi.KeyManagementServiceClient {
	t.Helper()
	path := socketPath(t)
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true)),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			return net.DialUnix("unix", nil, &net.UnixAddr{Name: path})
		}),
	}
	if authority != "" {
		options = append(options, grpc.WithAuthority(authority))
	}
	connection, err := grpc.NewClient("passthrough:///"+path, options...)
	if err != nil {
		t.Fatalf("grpc.NewClient: %v", err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	return kmsapi.NewKeyManagementServiceClient(connection)
}

func requestContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	t.Cleanup(cancel)
	return ctx
}

// control asks the driver to do something, such as "openbao/down", and returns its answer.
func control(t *testing.T, action string) string {
	t.Helper()
	answer, err := http.Post(setting(t, "BAOKMS_CONTROL")+"/"+action, "text/plain", nil)
	if err != nil {
		t.Fatalf("%s: %v", action, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: status %d, %v: %s", action, answer.StatusCode, err, body)
	}
	return string(body)
}

// transitCalls is the number of calls to one Transit operation in OpenBao's audit log.
func transitCalls(t *testing.T, operation string) int {
	t.Helper()
	count, err := strconv.Atoi(strings.TrimSpace(control(t, "transit-calls/"+operation)))
	if err != nil {
		t.Fatal(err)
	}
	return count
}

// eventually repeats condition until it holds.
func eventually(t *testing.T, what string, condition func() error) {
	t.Helper()
	var last error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if last = condition(); last == nil {
			return
		}
	}
	t.Fatalf("waited in vain for %s: %v", what, last)
}

func waitHealthy(t *testing.T) {
	t.Helper()
	service := newService(t)
	eventually(t, "Status ok", func() error {
		answer, err := service.Status(context.Background())
		if err == nil && answer.Healthz != "ok" {
			err = fmt.Errorf("healthz is %q", answer.Healthz)
		}
		return err
	})
}

func encryptOne(t *testing.T, service kmsservice.Service) *kmsservice.EncryptResponse {
	t.Helper()
	answer, err := service.Encrypt(context.Background(), requestUID, []byte(plaintext))
	if err != nil {
		t.Fatalf("Encrypt: %v", err)
	}
	return answer
}

// decryptRequest asks for what Encrypt answered, with a copy of the annotations that a test may
// change.
func decryptRequest(from *kmsservice.EncryptResponse) *kmsservice.DecryptRequest {
	annotations := make(map[string][]byte, len(from.Annotations))
	for key, value := range from.Annotations {
		annotations[key] = value
	}
	return &kmsservice.DecryptRequest{
		Ciphertext: from.Ciphertext, KeyID: from.KeyID, Annotations: annotations,
	}
}

// forgedKeyID is well formed, but nobody ever issued it.
func forgedKeyID() string {
	digest := sha256.Sum256([]byte("never issued"))
	return "obk2." + base64.RawURLEncoding.EncodeToString(digest[:])
}

func wantCode(t *testing.T, err error, want codes.Code) {
	t.Helper()
	if got := status.Code(err); got != want {
		t.Fatalf("got %v (%v), want %v", got, err, want)
	}
}
