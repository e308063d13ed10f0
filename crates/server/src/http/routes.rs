//! The table of routes: which path, asked how, is answered by what? `/openapi.json` describes all
//! of it. What no path of it means is for S3's clients.

use std::sync::Arc;

use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter};

use super::{Inner, api, ask, openapi, watch};
use crate::trino::{info, statement};

/// A path, and what answers it.
pub(super) struct Route {
    pub(super) path: &'static str,
    /// As OpenAPI spells them. HEAD is answered wherever GET is; it stands here where something else
    /// answers it.
    pub(super) methods: Vec<&'static str>,
    pub(super) answers: MethodRouter<Arc<Inner>>,
}

/// Returns every route.
pub(super) fn all() -> Vec<Route> {
    vec![
        Route::at("/v1/query").get(ask::by_url).head(ask::head).post(ask::by_body),
        Route::at("/v1/queries").get(api::queries),
        Route::at("/v1/queries/{id}").get(api::query).delete(api::cancel),
        Route::at("/v1/queries/{id}/cancel").post(api::cancel),
        Route::at("/v1/stores").get(api::stores),
        Route::at("/v1/schema").get(api::schema),
        Route::at("/v1/samples").get(api::samples),
        Route::at("/v1/sources").get(api::sources),
        Route::at("/v1/sources/look").post(api::look),
        // The JDBC driver asks by HEAD whether the server is there and lets it in.
        Route::at("/v1/statement").post(statement::post).head(info::state),
        Route::at("/v1/statement/{step}/{id}/{slug}/{token}")
            .get(statement::next)
            .head(statement::heartbeat)
            .delete(statement::cancel),
        Route::at("/v1/info").get(info::info),
        Route::at("/v1/info/state").get(info::state),
        Route::at("/v1/query/{id}").get(info::query).delete(info::kill),
        Route::at("/").post(crate::aws::call),
        Route::at("/health").get(watch::health),
        Route::at("/ready").get(watch::ready),
        Route::at("/metrics").get(watch::metrics),
        Route::at("/openapi.json").get(openapi::document),
    ]
}

impl Route {
    fn at(path: &'static str) -> Route {
        Route { path, methods: Vec::new(), answers: MethodRouter::new() }
    }

    fn get<H: Handler<T, Arc<Inner>>, T: 'static>(self, handler: H) -> Route {
        self.on("get", MethodFilter::GET, handler)
    }

    fn head<H: Handler<T, Arc<Inner>>, T: 'static>(self, handler: H) -> Route {
        self.on("head", MethodFilter::HEAD, handler)
    }

    fn post<H: Handler<T, Arc<Inner>>, T: 'static>(self, handler: H) -> Route {
        self.on("post", MethodFilter::POST, handler)
    }

    fn delete<H: Handler<T, Arc<Inner>>, T: 'static>(self, handler: H) -> Route {
        self.on("delete", MethodFilter::DELETE, handler)
    }

    fn on<H, T>(mut self, method: &'static str, filter: MethodFilter, handler: H) -> Route
    where
        H: Handler<T, Arc<Inner>>,
        T: 'static,
    {
        self.methods.push(method);
        self.answers = self.answers.on(filter, handler);
        self
    }
}
