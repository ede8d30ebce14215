/* The C side of many.bench.ts: COUNT blocks made one by one and freed one by one, through the process's malloc.
 *
 *     many COUNT BYTES ORDER SECONDS      ORDER: 0 as made, 1 in reverse, 2 at random; prints the median time of a pair, in ns
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}

static int ascending(const void *a, const void *b) {
  double d = *(const double *)a - *(const double *)b;
  return (d > 0) - (d < 0);
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  uint32_t count = strtoul(argv[1], 0, 10), bytes = strtoul(argv[2], 0, 10), order = atoi(argv[3]), state = 88172645;
  double seconds = atof(argv[4]);
  void *volatile *blocks = malloc(count * sizeof *blocks);
  uint32_t *at = malloc(count * sizeof *at);
  for (uint32_t i = 0; i < count; i++) at[i] = order == 1 ? count - 1 - i : i;
  for (uint32_t i = count - 1; order == 2 && i > 0; i--) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    uint32_t j = state % (i + 1), kept = at[i];
    at[i] = at[j];
    at[j] = kept;
  }
  size_t most = 1 << 20, passes = 0;
  double *times = malloc(most * sizeof *times);
  double start = now(), last = start, warm = start + seconds * 0.3e9;
  while (last < start + seconds * 1e9 && passes < most) {
    for (uint32_t i = 0; i < count; i++) blocks[i] = malloc(bytes);
    for (uint32_t i = 0; i < count; i++) free(blocks[at[i]]);
    double t = now();
    if (t > warm) times[passes++] = t - last;
    last = t;
  }
  qsort(times, passes, sizeof *times, ascending);
  printf("%.3f\n", times[passes / 2] / count);
  return 0;
}
