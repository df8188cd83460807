// The normal and the beta distribution, and what follows from them.
#include <math.h>  // lgamma_r: std::lgamma writes a global variable

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "eval/significance.h"

namespace loam::eval {
namespace {

template <std::size_t N>
double polynomial(const std::array<double, N>& coefficients, double x) {
  double value = 0;
  for (auto c = coefficients.rbegin(); c != coefficients.rend(); ++c) value = value * x + *c;
  return value;
}

// AS 241, routine PPND16.
constexpr std::array<double, 8> kCentreTop = {
    3.3871328727963666080e0,  1.3314166789178437745e+2, 1.9715909503065514427e+3, 1.3731693765509461125e+4,
    4.5921953931549871457e+4, 6.7265770927008700853e+4, 3.3430575583588128105e+4, 2.5090809287301226727e+3};
constexpr std::array<double, 8> kCentreBottom = {1.0,
                                                 4.2313330701600911252e+1,
                                                 6.8718700749205790830e+2,
                                                 5.3941960214247511077e+3,
                                                 2.1213794301586595867e+4,
                                                 3.9307895800092710610e+4,
                                                 2.8729085735721942674e+4,
                                                 5.2264952788528545610e+3};
constexpr std::array<double, 8> kMiddleTop = {1.42343711074968357734e0,  4.63033784615654529590e0,
                                              5.76949722146069140550e0,  3.64784832476320460504e0,
                                              1.27045825245236838258e0,  2.41780725177450611770e-1,
                                              2.27238449892691845833e-2, 7.74545014278341407640e-4};
constexpr std::array<double, 8> kMiddleBottom = {1.0,
                                                 2.05319162663775882187e0,
                                                 1.67638483018380384940e0,
                                                 6.89767334985100004550e-1,
                                                 1.48103976427480074590e-1,
                                                 1.51986665636164571966e-2,
                                                 5.47593808499534494600e-4,
                                                 1.05075007164441684324e-9};
constexpr std::array<double, 8> kTailTop = {6.65790464350110377720e0,  5.46378491116411436990e0,
                                            1.78482653991729133580e0,  2.96560571828504891230e-1,
                                            2.65321895265761230930e-2, 1.24266094738807843860e-3,
                                            2.71155556874348757815e-5, 2.01033439929228813265e-7};
constexpr std::array<double, 8> kTailBottom = {1.0,
                                               5.99832206555887937690e-1,
                                               1.36929880922735805310e-1,
                                               1.48753612908506148525e-2,
                                               7.86869131145613259100e-4,
                                               1.84631831751005468180e-5,
                                               1.42151175831644588870e-7,
                                               2.04426310338993978564e-15};

double log_gamma(double x) {
  int sign = 0;
  return ::lgamma_r(x, &sign);
}

// The continued fraction of the incomplete beta function by Lentz's method (Press et al., Numerical Recipes,
// 3rd ed., section 6.4); converges fast for x < (a + 1) / (a + b + 2).
double beta_fraction(double x, double a, double b) {
  constexpr double kTiny = 1e-300;
  constexpr int kMostSteps = 200'000;  // about sqrt(max(a, b)) are needed
  const auto away_from_zero = [](double value) { return std::abs(value) < kTiny ? kTiny : value; };
  double c = 1;
  double d = 1 / away_from_zero(1 - (a + b) * x / (a + 1));
  double value = d;
  for (int step = 1; step < kMostSteps; ++step) {
    const double m = step;
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away_from_zero(1 + even * d);
    c = away_from_zero(1 + even / c);
    value *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away_from_zero(1 + odd * d);
    c = away_from_zero(1 + odd / c);
    const double change = d * c;
    value *= change;
    if (std::abs(change - 1) < 1e-16) break;
  }
  return value;
}

double log_beta_density(double x, double a, double b) {
  return (a - 1) * std::log(x) + (b - 1) * std::log1p(-x) + log_gamma(a + b) - log_gamma(a) - log_gamma(b);
}

}  // namespace

double normal_quantile(double p) {
  if (std::isnan(p) || p < 0 || p > 1) return std::numeric_limits<double>::quiet_NaN();
  if (p == 0) return -std::numeric_limits<double>::infinity();
  if (p == 1) return std::numeric_limits<double>::infinity();
  const double q = p - 0.5;
  if (std::abs(q) <= 0.425) {
    const double r = 0.180625 - q * q;
    return q * polynomial(kCentreTop, r) / polynomial(kCentreBottom, r);
  }
  const double r = std::sqrt(-std::log(q < 0 ? p : 1 - p));
  const double z = r <= 5 ? polynomial(kMiddleTop, r - 1.6) / polynomial(kMiddleBottom, r - 1.6)
                          : polynomial(kTailTop, r - 5) / polynomial(kTailBottom, r - 5);
  return q < 0 ? -z : z;
}

double normal_cdf(double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); }

double student_quantile(double p, double degrees) {
  if (std::isnan(p) || !(degrees > 0)) return std::numeric_limits<double>::quiet_NaN();
  if (p < 0.5) return -student_quantile(1 - p, degrees);
  const double x = beta_quantile(2 * (1 - p), degrees / 2, 0.5);  // of degrees / (degrees + t^2)
  return x > 0 ? std::sqrt(degrees * (1 - x) / x) : std::numeric_limits<double>::infinity();
}

double beta_cdf(double x, double a, double b) {
  if (std::isnan(x) || !(a > 0) || !(b > 0)) return std::numeric_limits<double>::quiet_NaN();
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const double front =
      std::exp(a * std::log(x) + b * std::log1p(-x) + log_gamma(a + b) - log_gamma(a) - log_gamma(b));
  if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(x, a, b) / a;
  return 1 - front * beta_fraction(1 - x, b, a) / b;
}

double beta_quantile(double p, double a, double b) {
  if (std::isnan(p) || !(a > 0) || !(b > 0)) return std::numeric_limits<double>::quiet_NaN();
  if (p <= 0) return 0;
  if (p >= 1) return 1;
  // Newton's steps inside a bracket that halves whenever a step would leave it.
  double low = 0;
  double high = 1;
  double x = a / (a + b);
  for (int step = 0; step < 400; ++step) {
    const double error = beta_cdf(x, a, b) - p;
    if (error == 0) break;
    (error > 0 ? high : low) = x;
    const double slope = std::exp(log_beta_density(x, a, b));
    double next = x - error / slope;
    if (!(next > low && next < high)) next = low + (high - low) / 2;
    const double change = std::abs(next - x);
    x = next;
    if (change <= 2e-16 * x || high - low <= 1e-300) break;
  }
  return x;
}

Estimate clopper_pearson(std::size_t successes, std::size_t n, double confidence) {
  if (n == 0) return {0, 0, 1, 0};
  successes = std::min(successes, n);
  const double tail = (1 - std::clamp(confidence, 0.0, 1.0)) / 2;
  const auto hits = static_cast<double>(successes);
  const auto misses = static_cast<double>(n - successes);
  return {hits / static_cast<double>(n), successes == 0 ? 0 : beta_quantile(tail, hits, misses + 1),
          successes == n ? 1 : beta_quantile(1 - tail, hits + 1, misses), n};
}

double clopper_pearson_low(std::size_t successes, std::size_t n, double confidence) {
  if (n == 0 || successes == 0) return 0;
  successes = std::min(successes, n);
  return beta_quantile(1 - std::clamp(confidence, 0.0, 1.0), static_cast<double>(successes),
                       static_cast<double>(n - successes) + 1);
}

}  // namespace loam::eval
